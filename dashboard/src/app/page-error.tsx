/** A page that failed to load or to draw. After an upgrade of the server its old parts are gone, and loading anew helps. */
import { Button } from '@mantine/core';
import { asProblem } from '../api/problem.ts';
import { ProblemText } from '../ui/problem-text.tsx';
import classes from './page.module.css';

export function PageError({ error }: { readonly error: unknown }) {
  return (
    <div className={classes.page}>
      <h1>This page failed</h1>
      <ProblemText problem={asProblem(error)} />
      <p>
        <Button onClick={() => location.reload()}>Load it anew</Button>
      </p>
    </div>
  );
}
