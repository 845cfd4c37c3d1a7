/** The form: every field reads from the parsed text and writes into it. */
import { type ReactNode, useId } from 'react';
import type { BundleControl } from '../bundle/use-bundle.ts';
import type { Draft, Path, Spec } from '../spec/draft.ts';
import { type Field, type FieldId, fields, type GroupId, groups } from '../spec/fields.ts';
import classes from '../submit.module.css';
import { CommandField } from './command-field.tsx';
import { DevicesField } from './devices-field.tsx';
import { FieldInput } from './field-input.tsx';
import { PairsField } from './pairs-field.tsx';
import { ProjectField } from './project-field.tsx';
import { SecretsField } from './secrets-field.tsx';
import { WorkingDirectoryField } from './working-directory-field.tsx';

export type Issues = Readonly<Partial<Record<FieldId | GroupId, string>>>;
export type Edit = (path: Path, value: unknown) => void;

/** What every part of the form is given. */
export interface PartProps {
  readonly spec: Spec;
  readonly edit: Edit;
  readonly issues: Issues;
}

interface FormProps {
  readonly draft: Draft;
  readonly edit: Edit;
  readonly issues: Issues;
  readonly bundle: BundleControl;
}

const noSpec: Spec = {};

export function Form({ draft, edit, issues, bundle }: FormProps) {
  const spec = draft.kind === 'readable' ? draft.spec : noSpec;
  const part: PartProps = { spec, edit, issues };
  const input = (id: FieldId) => <FieldInput {...part} field={fields[id] as Field & { id: FieldId }} />;
  return (
    <form className={classes.form} onSubmit={(event) => event.preventDefault()} aria-label="Job">
      {draft.kind === 'broken' && (
        <p className={classes.locked} role="status">
          The form waits for the YAML: {draft.line === null ? '' : `line ${draft.line}: `}
          {draft.message}
        </p>
      )}
      <fieldset disabled={draft.kind === 'broken'} className={classes.fieldset}>
        <Section title="What to run">
          <div className={classes.pair}>
            {input('name')}
            <ProjectField {...part} />
          </div>
          <CommandField {...part} />
          <div className={classes.pair}>
            {input('image')}
            {input('registrySecret')}
          </div>
          <WorkingDirectoryField {...part} bundle={bundle} />
        </Section>
        <Section title="What it needs, on each node">
          <div className={classes.four}>
            {input('cpu')}
            {input('memory')}
            {input('disk')}
            {input('nodes')}
          </div>
          <DevicesField {...part} />
          <div className={classes.pair}>
            {input('isolation')}
            {input('network')}
          </div>
        </Section>
        <Section title="Environment, secrets, labels">
          <PairsField {...part} group="env" title="Environment" keyName="Variable" add="Add a variable" />
          <SecretsField {...part} />
          <PairsField {...part} group="labels" title="Labels" keyName="Label" add="Add a label" />
        </Section>
        <Folded
          title="Array, retries and time limits"
          ids={[
            'arrayCount',
            'retryFailed',
            'retryMemory',
            'retryTimeout',
            'retryStart',
            'retryNode',
            'runTimeout',
            'queueTimeout',
            'stopGrace',
          ]}
          spec={spec}
          issues={issues}
        >
          <div className={classes.four}>
            {input('arrayCount')}
            {input('runTimeout')}
            {input('queueTimeout')}
            {input('stopGrace')}
          </div>
          <h3 className={classes.subtitle}>Further attempts</h3>
          <div className={classes.four}>
            {input('retryFailed')}
            {input('retryMemory')}
            {input('retryTimeout')}
            {input('retryStart')}
            {input('retryNode')}
          </div>
        </Folded>
        <Folded
          title="More"
          ids={['priority', 'maxPrice', 'sharedMemory', 'checkpointPath']}
          spec={spec}
          issues={issues}
        >
          <div className={classes.four}>
            {input('priority')}
            {input('maxPrice')}
            {input('sharedMemory')}
            {input('checkpointPath')}
          </div>
          <p className={classes.dim}>
            What has no field here is written in the YAML, and stays there whatever the form changes.
          </p>
        </Folded>
      </fieldset>
    </form>
  );
}

function Section({ title, children }: { readonly title: string; readonly children: ReactNode }) {
  const id = useId();
  return (
    <section className={classes.panel} aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      <div className={classes.fields}>{children}</div>
    </section>
  );
}

interface FoldedProps {
  readonly title: string;
  readonly ids: readonly FieldId[];
  readonly spec: Spec;
  readonly issues: Issues;
  readonly children: ReactNode;
}

/** Open where something is written in it or wrong with it: what is folded away must not surprise. */
function Folded({ title, ids, spec, issues, children }: FoldedProps) {
  const isUsed = ids.some((id) => issues[id] !== undefined || hasValue(spec, fields[id].path));
  return (
    <details className={classes.panel} open={isUsed || undefined}>
      <summary>{title}</summary>
      <div className={classes.fields}>{children}</div>
    </details>
  );
}

const hasValue = (spec: Spec, path: Path): boolean =>
  path.reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], spec) !== undefined;

export const groupPath = (id: GroupId): Path => groups[id];
