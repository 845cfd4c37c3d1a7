/** The folder that the job runs in: chosen here, packed and uploaded by the browser, or one that was uploaded before. */
import { Button } from '@mantine/core';
import { useRef } from 'react';
import { formatBytes } from '../../../ui/format.ts';
import { ProblemText } from '../../../ui/problem-text.tsx';
import type { BundleControl } from '../bundle/use-bundle.ts';
import { valueAt } from '../spec/draft.ts';
import { groups, textOf } from '../spec/fields.ts';
import classes from '../submit.module.css';
import type { PartProps } from './form.tsx';

interface WorkingDirectoryProps extends PartProps {
  readonly bundle: BundleControl;
}

export function WorkingDirectoryField({ spec, edit, issues, bundle }: WorkingDirectoryProps) {
  const input = useRef<HTMLInputElement>(null);
  const { state } = bundle;
  const value = valueAt(spec, groups.workingDirectory);
  const hash = textOf(valueAt(spec, [...groups.workingDirectory, 'bundle']));
  const isBusy = state.kind === 'packing' || state.kind === 'uploading';
  return (
    <fieldset className={classes.group}>
      <legend className={classes.subtitle}>Working directory</legend>
      <p className={classes.dim} role="status">
        {state.kind === 'packing' && `Packing ${state.folder} …`}
        {state.kind === 'uploading' && `Uploading ${formatBytes(state.bytes)} …`}
        {!isBusy && value === undefined && 'None: the job begins in an empty folder.'}
        {!isBusy && typeof value === 'string' && (
          <>
            <code>{value}</code> is a folder of some computer. Choose it here to upload it, or use{' '}
            <code>solyx submit</code>, which does it for you.
          </>
        )}
        {!isBusy && hash !== '' && (
          <>
            {state.kind === 'done' && state.hash === hash
              ? `${state.folder}: ${state.files} ${state.files === 1 ? 'file' : 'files'}, ${formatBytes(state.bytes)} packed, as `
              : 'Uploaded before, as '}
            <code title={hash}>{hash.slice(0, 12)}…</code>
          </>
        )}
      </p>
      {state.kind === 'failed' && <ProblemText problem={state.problem} />}
      {issues.workingDirectory !== undefined && typeof value !== 'string' && (
        <p className={classes.error} role="alert">
          {issues.workingDirectory}
        </p>
      )}
      <div className={classes.row}>
        <Button size="xs" variant="default" loading={isBusy} onClick={() => input.current?.click()}>
          Choose a folder
        </Button>
        <input
          ref={(element) => {
            input.current = element;
            element?.setAttribute('webkitdirectory', '');
          }}
          type="file"
          multiple
          hidden
          aria-label="Folder of the job"
          onChange={(event) => {
            const files = [...(event.currentTarget.files ?? [])];
            event.currentTarget.value = '';
            if (files.length > 0) bundle.choose(files);
          }}
        />
        {value !== undefined && (
          <Button size="xs" variant="subtle" color="gray" onClick={() => edit(groups.workingDirectory, undefined)}>
            Remove
          </Button>
        )}
      </div>
    </fieldset>
  );
}
