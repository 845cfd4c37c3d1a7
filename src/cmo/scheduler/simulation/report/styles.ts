/** The page's look: neutral surfaces, one accent, tabular figures; contrast ≥ 4.5 : 1 in both schemes. */
export const styles = `
:root{--page:#fff;--text:#1f2328;--quiet:#57606a;--rule:#d8dee4;--line1:#0f766e;--line2:#b45309;--lost:#b42318;
--bar0:#0f766e;--bar1:#2b8a82;--bar2:#3f6f8f;--bar3:#5b5f97;
--s1:#d5efec;--s2:#a9ded8;--s3:#74c6be;--s4:#41a89f;--s5:#1f857c;--s6:#0b5f58}
@media (prefers-color-scheme:dark){:root{--page:#14171a;--text:#e6e9ec;--quiet:#a2abb4;--rule:#343a41;--line1:#3fc4b6;--line2:#f0a454;--lost:#ff7b6b;
--bar0:#2aa198;--bar1:#1f7f78;--bar2:#5a8fb3;--bar3:#8186c4;
--s1:#17312f;--s2:#1b4945;--s3:#20655f;--s4:#26857d;--s5:#2fa99f;--s6:#52d1c5}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:14px/1.5 Inter,system-ui,-apple-system,"Segoe UI",sans-serif;font-variant-numeric:tabular-nums}
main{max-width:1440px;margin:0 auto;padding:24px 16px 48px}
h1{font-size:22px;margin:0 0 4px}h2{font-size:16px;margin:32px 0 8px;overflow-wrap:anywhere}p{color:var(--quiet);margin:0 0 16px}
table{border-collapse:collapse;font-size:13px;display:block;overflow-x:auto}
th,td{padding:4px 16px 4px 0;border-bottom:1px solid var(--rule);text-align:right;white-space:nowrap}
tbody th{text-align:left;font-weight:400;color:var(--quiet)}thead th{font-weight:600}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,560px),1fr));gap:24px;margin-top:32px}
figure{margin:0;overflow-x:auto}figure>svg{min-width:540px}.wide>svg{min-width:900px}figcaption{font-weight:600;font-size:13px;margin-bottom:4px}
.legend{display:flex;flex-wrap:wrap;gap:4px 16px;font-size:12px;margin:0 0 4px}.key{display:inline-flex;align-items:center;gap:6px;overflow-wrap:anywhere}
svg{width:100%;height:auto;display:block}.key svg{width:22px;flex:none}
text{fill:var(--quiet);font-size:11px}.grid{stroke:var(--rule)}.tick{stroke:var(--quiet)}
.line{fill:none;stroke-width:1.6;stroke-linejoin:round;stroke-linecap:round}.line1{stroke:var(--line1)}.line2{stroke:var(--line2)}
.bar0{fill:var(--bar0)}.bar1{fill:var(--bar1)}.bar2{fill:var(--bar2)}.bar3{fill:var(--bar3)}.lost{fill:var(--lost)}
.shade1{fill:var(--s1)}.shade2{fill:var(--s2)}.shade3{fill:var(--s3)}.shade4{fill:var(--s4)}.shade5{fill:var(--s5)}.shade6{fill:var(--s6)}
`;
