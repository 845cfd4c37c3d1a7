/** The verdict of the dry run in words, and whatever is wrong that no field of the form stands for. */

import { formatNumber } from '../../../ui/format.ts';
import { roleNeeded } from '../../../ui/panel-state.ts';
import { ProblemText } from '../../../ui/problem-text.tsx';
import { StateMark } from '../../../ui/state-mark.tsx';
import { Time } from '../../../ui/time.tsx';
import { pendingTitle, readRejections } from '../../job/why/why.ts';
import type { Draft } from '../spec/draft.ts';
import classes from '../submit.module.css';
import type { VerdictState } from './use-verdict.ts';

interface VerdictPanelProps {
  readonly draft: Draft;
  readonly verdict: VerdictState;
  readonly elsewhere: readonly { readonly at: string; readonly message: string }[];
}

export function VerdictPanel(props: VerdictPanelProps) {
  return (
    <section className={classes.panel} aria-labelledby="verdict" aria-live="polite">
      <h2 id="verdict">If it were submitted now</h2>
      <Words {...props} />
    </section>
  );
}

function Words({ draft, verdict, elsewhere }: VerdictPanelProps) {
  if (draft.kind === 'broken') {
    return (
      <p className={classes.verdict}>
        <StateMark tone="failed">The YAML cannot be read</StateMark>
      </p>
    );
  }
  switch (verdict.kind) {
    case 'none':
    case 'asking':
      return <p className={classes.dim}>Asking the scheduler …</p>;
    case 'failed':
      return <Failed verdict={verdict} />;
    case 'refused': {
      const count = verdict.problem.issues?.length ?? 0;
      return (
        <>
          <p className={classes.verdict}>
            <StateMark tone="failed">{verdict.problem.title}</StateMark>
          </p>
          {elsewhere.map(({ at, message }) => (
            <p key={`${at} ${message}`} className={classes.issue}>
              <code>{at}</code> {message}
            </p>
          ))}
          {verdict.problem.detail !== undefined && <p className={classes.issue}>{verdict.problem.detail}</p>}
          {count > elsewhere.length && (
            <p className={classes.dim}>
              {count - elsewhere.length === 1 ? 'The field is marked' : `${count - elsewhere.length} fields are marked`}{' '}
              in the form.
            </p>
          )}
        </>
      );
    }
    case 'told': {
      const { startsNow, reason, message, rejections, expectedAt, ahead } = verdict.verdict;
      return (
        <div data-old={verdict.old} className={classes.told}>
          <p className={classes.verdict}>
            {startsNow ? (
              <StateMark tone="succeeded">It would start now</StateMark>
            ) : (
              <StateMark tone="waiting">It would wait</StateMark>
            )}
          </p>
          <p className={classes.message}>
            {!startsNow && reason !== null && <>{pendingTitle(reason)}. </>}
            {message}
          </p>
          {!startsNow && (expectedAt !== null || ahead > 0) && (
            <p className={classes.message}>
              {expectedAt !== null && (
                <>
                  Expected to start <Time at={expectedAt} />.{' '}
                </>
              )}
              {ahead > 0 && `${formatNumber(ahead)} ${ahead === 1 ? 'job' : 'jobs'} of your tenant wait before it.`}
            </p>
          )}
          {!startsNow && (
            <ul className={classes.rejections}>
              {readRejections(rejections).map(({ code, count, words }) => (
                <li key={code}>
                  {count} {count === 1 ? 'node' : 'nodes'} {words}
                </li>
              ))}
            </ul>
          )}
          <p className={classes.dim}>
            Project {verdict.project}
            {verdict.count > 1 && `, ${verdict.count} tasks`}. Nothing is reserved by asking.
          </p>
        </div>
      );
    }
  }
}

function Failed({ verdict }: { readonly verdict: Extract<VerdictState, { kind: 'failed' }> }) {
  const { problem } = verdict;
  if (problem.status === 403) {
    const role = roleNeeded(problem);
    return (
      <p className={classes.message} data-state="forbidden">
        You may write a spec here, but not submit it: that takes the role <strong>{role ?? 'member'}</strong>. An admin
        of your tenant can grant it.
      </p>
    );
  }
  return (
    <div data-state={problem.code === 'network' ? 'offline' : 'error'}>
      <ProblemText problem={problem} />
      <p className={classes.dim}>It is asked again by itself.</p>
    </div>
  );
}
