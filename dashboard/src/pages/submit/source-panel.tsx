/** The request as YAML, which can be edited, and as command line, curl and TypeScript, which can be copied. */
import { Button, Tabs, Textarea } from '@mantine/core';
import '../../ui/inputs.css';
import '@mantine/core/styles/Tabs.layer.css';
import { type ChangeEvent, useRef, useState } from 'react';
import { writeClipboard } from '../../ui/copy-id.tsx';
import type { Draft } from './spec/draft.ts';
import { asCli, asCurl, asTypeScript } from './spec/request-text.ts';
import classes from './submit.module.css';

interface SourcePanelProps {
  readonly text: string;
  readonly draft: Draft;
  readonly onChange: (text: string) => void;
}

export function SourcePanel({ text, draft, onChange }: SourcePanelProps) {
  const [tab, setTab] = useState<string | null>('yaml');
  const forms = {
    cli: () => asCli(text),
    curl: () => asCurl(text, location.origin),
    typescript: () => (draft.kind === 'readable' ? asTypeScript(draft.spec, location.origin) : ''),
  };
  return (
    <section className={classes.panel} aria-label="The same as text">
      <Tabs value={tab} onChange={setTab} keepMounted={false}>
        <Tabs.List className={classes.tabList}>
          <Tabs.Tab value="yaml">YAML</Tabs.Tab>
          <Tabs.Tab value="cli">CLI</Tabs.Tab>
          <Tabs.Tab value="curl">curl</Tabs.Tab>
          <Tabs.Tab value="typescript">TypeScript</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="yaml" className={classes.tabPanel}>
          <YamlEditor text={text} draft={draft} onChange={onChange} />
        </Tabs.Panel>
        {Object.entries(forms).map(([id, write]) => (
          <Tabs.Panel key={id} value={id} className={classes.tabPanel}>
            {draft.kind === 'readable' ? (
              <Snippet text={write()} />
            ) : (
              <p className={classes.dim}>Mend the YAML first: the request is made from it.</p>
            )}
          </Tabs.Panel>
        ))}
      </Tabs>
    </section>
  );
}

function YamlEditor({ text, draft, onChange }: SourcePanelProps) {
  const area = useRef<HTMLTextAreaElement>(null);
  const file = useRef<HTMLInputElement>(null);
  const goToLine = (line: number) => {
    const element = area.current;
    if (!element) return;
    const lines = text.split('\n');
    const start = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
    element.focus();
    element.setSelectionRange(start, start + (lines[line - 1]?.length ?? 0));
  };
  const open = async (event: ChangeEvent<HTMLInputElement>) => {
    const chosen = event.currentTarget.files?.[0];
    event.currentTarget.value = '';
    if (chosen) onChange(await chosen.text());
  };
  const { line } = draft.kind === 'broken' ? draft : { line: null };
  return (
    <>
      <Textarea
        ref={area}
        label="Job spec as YAML"
        classNames={{ input: classes.yaml }}
        value={text}
        onChange={(event) => onChange(event.currentTarget.value)}
        error={draft.kind === 'broken' ? `${line === null ? '' : `Line ${line}: `}${draft.message}` : undefined}
        rows={Math.min(40, Math.max(16, text.split('\n').length + 1))}
        spellCheck={false}
        autoCapitalize="off"
        autoComplete="off"
        wrap="off"
      />
      <div className={classes.row}>
        <Button size="xs" variant="default" onClick={() => file.current?.click()}>
          Open a file
        </Button>
        <input
          ref={file}
          type="file"
          accept=".yaml,.yml,.json,.txt"
          hidden
          onChange={open}
          aria-label="File with a job spec"
        />
        <CopyButton text={text} />
        {line !== null && (
          <Button size="xs" variant="subtle" onClick={() => goToLine(line)}>
            Go to line {line}
          </Button>
        )}
      </div>
    </>
  );
}

function Snippet({ text }: { readonly text: string }) {
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a part that scrolls must be reached by keyboard */}
      <section className={classes.snippet} tabIndex={0} aria-label="Request">
        <pre>{text}</pre>
      </section>
      <div className={classes.row}>
        <CopyButton text={text} />
      </div>
    </>
  );
}

function CopyButton({ text }: { readonly text: string }) {
  const [said, setSaid] = useState('');
  const copy = async () => {
    setSaid((await writeClipboard(text)) ? 'Copied' : 'Copying was refused');
    setTimeout(() => setSaid(''), 1_500);
  };
  return (
    <>
      <Button size="xs" variant="default" onClick={copy}>
        Copy
      </Button>
      <span role="status" className={classes.dim}>
        {said}
      </span>
    </>
  );
}
