/**
 * What may become markup or script in this page: nothing.
 *
 * The policy of the page (require-trusted-types-for 'script') lets strings reach such places only through this one
 * policy. Libraries fill `<style>` elements through innerHTML; style text holds no `<`, and text without `<` makes no element.
 * Workers may only be files of this origin.
 */
interface PolicyRules {
  createHTML(text: string): string;
  createScriptURL(url: string): string;
}

interface PolicyFactory {
  createPolicy(name: string, rules: PolicyRules): unknown;
}

/** @throws TypeError when the text could make an element */
export function plainText(text: string): string {
  if (text.includes('<')) throw new TypeError('Markup from text is refused.');
  return text;
}

/** @throws TypeError when the script is not of this origin */
export function ownScript(url: string, base: string): string {
  if (new URL(url, base).origin !== new URL(base).origin) throw new TypeError(`A script from ${url} is refused.`);
  return url;
}

// Node has no window: the rules above are tested there.
const factory = (globalThis as { trustedTypes?: PolicyFactory }).trustedTypes;
factory?.createPolicy('default', {
  createHTML: plainText,
  createScriptURL: (url) => ownScript(url, location.href),
});
