/** What a click on a noun shows until the page's code is here: its heading, and where its panels will be. */
import { Skeleton } from '@mantine/core';
import { useRouterState } from '@tanstack/react-router';
import { nouns } from './nouns.ts';
import classes from './page.module.css';

export function Pending() {
  const pathname = useRouterState({ select: ({ location }) => location.pathname });
  const noun = nouns.find(({ path }) => path === pathname);
  return (
    <div className={classes.page} aria-busy="true">
      {noun === undefined ? <Skeleton height={28} width={220} /> : <h1>{noun.label}</h1>}
      <Skeleton height={112} radius="md" />
      <Skeleton height={320} radius="md" />
    </div>
  );
}
