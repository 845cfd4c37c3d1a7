/**
 * A titled part of a page that is always in one of seven states: loading, empty, ready, partial, error, forbidden, offline
 * (look.md: empty and broken are designed first). A skeleton shows only after 150 ms, so that quick answers do not flash.
 */
import { Button, Skeleton } from '@mantine/core';
import { type ReactNode, useEffect, useId, useState } from 'react';
import type { Problem } from '../api/problem.ts';
import classes from './panel.module.css';
import { panelState, type QueryLike, roleNeeded } from './panel-state.ts';
import { ProblemText } from './problem-text.tsx';
import { Time } from './time.tsx';

export interface EmptyText {
  /** Why nothing is here. */
  readonly why: ReactNode;
  /** The one command or button that brings something. */
  readonly action?: ReactNode;
}

interface PanelProps<Data> {
  readonly title?: ReactNode;
  /** Beside the title: links, switches. */
  readonly actions?: ReactNode;
  readonly query: QueryLike<Data>;
  readonly isEmpty?: (data: Data) => boolean;
  readonly empty?: EmptyText;
  /** A source that is missing or old, though the rest stands: what, and since when. */
  readonly partial?: ReactNode;
  /** Lines of the skeleton, or a skeleton of the right shape. */
  readonly skeleton?: number | ReactNode;
  /** Whether the panel draws no frame of its own. */
  readonly bare?: boolean;
  readonly children: (data: Data) => ReactNode;
}

export function Panel<Data>(props: PanelProps<Data>) {
  const { title, actions, bare = false } = props;
  const heading = useId();
  return (
    <section
      className={bare ? classes.bare : classes.panel}
      aria-labelledby={title === undefined ? undefined : heading}
    >
      {(title !== undefined || actions !== undefined) && (
        <header className={classes.header}>
          {title !== undefined && <h2 id={heading}>{title}</h2>}
          {actions !== undefined && <div className={classes.actions}>{actions}</div>}
        </header>
      )}
      <PanelBody {...props} />
    </section>
  );
}

function PanelBody<Data>({ query, isEmpty, empty, partial, skeleton = 3, children }: PanelProps<Data>) {
  const state = panelState(query, isEmpty);
  const retry = () => void query.refetch();
  switch (state.kind) {
    case 'loading':
      return <Loading shape={skeleton} />;
    case 'empty':
      return (
        <div className={classes.empty} data-state="empty">
          <p>{empty?.why ?? 'Nothing here yet.'}</p>
          {empty?.action}
        </div>
      );
    case 'forbidden':
      return <Forbidden problem={state.problem} />;
    case 'offline':
    case 'error':
      return (
        <div data-state={state.kind}>
          <ProblemText problem={state.problem} />
          <Button variant="default" size="xs" mt="xs" onClick={retry}>
            Try again
          </Button>
        </div>
      );
    case 'ready':
      return (
        <>
          {state.stale !== null && (
            <p className={classes.stale} data-state="stale">
              From <Time at={new Date(state.stale.since).toISOString()} />: {state.stale.problem.title}{' '}
              <button type="button" className={classes.link} onClick={retry}>
                Try again
              </button>
            </p>
          )}
          {partial !== undefined && partial !== null && (
            <p className={classes.stale} data-state="partial">
              {partial}
            </p>
          )}
          {children(state.data)}
        </>
      );
  }
}

function Loading({ shape }: { readonly shape: number | ReactNode }) {
  const [shown, setShown] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setShown(true), 150);
    return () => clearTimeout(timer);
  }, []);
  const lines = typeof shape === 'number' ? Array.from({ length: shape }, (_, line) => line) : [];
  return (
    <div className={classes.loading} data-state="loading" data-shown={shown} aria-busy="true">
      <span className={classes.hidden}>Loading</span>
      {typeof shape === 'number' ? lines.map((line) => <Skeleton key={line} height={16} />) : shape}
    </div>
  );
}

/** What the person may not see, and who could let her. */
export function Forbidden({ problem }: { readonly problem: Problem }) {
  const role = roleNeeded(problem);
  return (
    <div className={classes.empty} data-state="forbidden">
      <p>
        {role === null ? (
          <>You may not see this. {problem.detail ?? problem.title}</>
        ) : (
          <>
            You may not see this: it takes the role <strong>{role}</strong>. An admin of your tenant can grant it.
          </>
        )}
      </p>
      {problem.requestId !== undefined && (
        <p className={classes.fine}>
          Request <code>{problem.requestId}</code>
        </p>
      )}
    </div>
  );
}
