/** What would happen if the spec were sent now: asked while somebody types, always for what is written. */
import { useEffect, useRef, useState } from 'react';
import type { Output } from '../../../api/contract.ts';
import { asProblem, type Problem } from '../../../api/problem.ts';
import { request } from '../../../api/request.ts';
import { askLatest, type Latest } from '../spec/debounce.ts';
import type { Spec } from '../spec/draft.ts';

/** Pause in typing before the server is asked, milliseconds. */
const pauseMs = 250;
/** The fleet changes too: how often an unchanged spec is asked about again, milliseconds. */
const againMs = 15_000;

export type Verdict = NonNullable<Output<'POST /v1/jobs'>['verdict']>;

export type VerdictState =
  /** Nothing to ask: the text is broken. */
  | { readonly kind: 'none' }
  | { readonly kind: 'asking' }
  | {
      readonly kind: 'told';
      readonly verdict: Verdict;
      readonly project: string;
      readonly count: number;
      readonly old: boolean;
    }
  /** The spec would be refused. */
  | { readonly kind: 'refused'; readonly problem: Problem }
  /** Nobody could say. */
  | { readonly kind: 'failed'; readonly problem: Problem };

/** @param spec null: nothing to ask */
export function useVerdict(spec: Spec | null): VerdictState {
  const [state, setState] = useState<VerdictState>({ kind: 'asking' });
  const latest = useRef<Latest<Spec>>(undefined);
  useEffect(() => {
    latest.current = askLatest<Spec>(async (asked, signal) => {
      try {
        const answer = await request('POST /v1/jobs', { body: asked as never, query: { dryRun: true } }, { signal });
        if (signal.aborted || answer.verdict === null) return;
        setState({
          kind: 'told',
          verdict: answer.verdict,
          project: answer.project.name,
          count: answer.count,
          old: false,
        });
      } catch (error) {
        if (signal.aborted) return;
        const problem = asProblem(error);
        setState({ kind: problem.status === 422 || problem.status === 413 ? 'refused' : 'failed', problem });
      }
    }, pauseMs);
    return () => latest.current?.stop();
  }, []);
  useEffect(() => {
    if (spec === null) {
      latest.current?.stop();
      setState({ kind: 'none' });
      return;
    }
    // What was told before stays in sight, dimmed, until the new answer comes: nothing jumps while somebody types.
    setState((before) =>
      before.kind === 'told' ? { ...before, old: true } : before.kind === 'none' ? { kind: 'asking' } : before,
    );
    latest.current?.ask(spec);
    const timer = setInterval(() => {
      if (!document.hidden) latest.current?.ask(spec);
    }, againMs);
    return () => clearInterval(timer);
  }, [spec]);
  return state;
}
