/** A problem in words: what was wrong, what helps, and the id under which the server's log has it. */
import type { Problem } from '../api/problem.ts';
import classes from './panel.module.css';

export function ProblemText({ problem }: { readonly problem: Problem }) {
  return (
    <div role="alert" className={classes.problem}>
      <strong>{problem.title}</strong>
      {problem.detail !== undefined && <p>{problem.detail}</p>}
      {problem.issues?.map(({ at, message }) => (
        <p key={`${at} ${message}`}>
          <code>{at}</code>: {message}
        </p>
      ))}
      {problem.remedy !== undefined && <p>{problem.remedy}</p>}
      {problem.requestId !== undefined && (
        <p className={classes.fine}>
          Request <code>{problem.requestId}</code>, code <code>{problem.code}</code>
        </p>
      )}
    </div>
  );
}
