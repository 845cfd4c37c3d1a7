/** The form on one side, on the other what would happen, the YAML, and the same request for other hands. */
import { useCallback, useEffect, useMemo, useState } from 'react';
import { useSession } from '../../app/session.ts';
import { useBundle } from './bundle/use-bundle.ts';
import { Form } from './form/form.tsx';
import { SourcePanel } from './source-panel.tsx';
import { editDraft, type Path, readDraft, type Yaml } from './spec/draft.ts';
import { placeIssues } from './spec/fields.ts';
import classes from './submit.module.css';
import { SubmitBar } from './verdict/submit-bar.tsx';
import { useVerdict } from './verdict/use-verdict.ts';
import { VerdictPanel } from './verdict/verdict-panel.tsx';

interface ComposerProps {
  readonly yaml: Yaml;
  /** The text to begin with. */
  readonly begin: string;
  /** Folder of `examples` whose files go along. */
  readonly folder?: 'train' | undefined;
  /** Under which the begun text is kept. */
  readonly name: string;
}

/** Texts that were begun, as long as this page of the browser lives. */
const begun = new Map<string, string>();

export function Composer({ yaml, begin, folder, name }: ComposerProps) {
  const [text, setText] = useState(() => begun.get(name) ?? begin);
  const { can } = useSession();
  const change = useCallback(
    (next: string) => {
      begun.set(name, next);
      setText(next);
    },
    [name],
  );
  const draft = useMemo(() => readDraft(yaml, text), [yaml, text]);
  const edit = useCallback(
    (path: Path, value: unknown) => {
      setText((now) => {
        const next = editDraft(yaml, now, path, value);
        begun.set(name, next);
        return next;
      });
    },
    [yaml, name],
  );
  const bundle = useBundle(useCallback((hash: string) => edit(['workingDirectory'], { bundle: hash }), [edit]));
  const { packExample } = bundle;
  // The files of a template are packed when it is looked at, so that it can be sent as it is.
  useEffect(() => {
    if (folder !== undefined && !begun.has(name)) packExample();
  }, [folder, name, packExample]);

  const verdict = useVerdict(draft.kind === 'readable' ? draft.spec : null);
  const issues = placeIssues(verdict.kind === 'refused' ? (verdict.problem.issues ?? []) : []);
  return (
    <div className={classes.columns}>
      <Form draft={draft} edit={edit} issues={issues.at} bundle={bundle} />
      <div className={classes.side}>
        <VerdictPanel draft={draft} verdict={verdict} elsewhere={issues.elsewhere} />
        <SubmitBar
          draft={draft}
          busy={bundle.state.kind === 'packing' || bundle.state.kind === 'uploading'}
          allowed={can('member')}
          onReset={text === begin ? null : () => change(begin)}
          onSubmitted={() => begun.delete(name)}
        />
        <SourcePanel text={text} draft={draft} onChange={change} />
      </div>
    </div>
  );
}
