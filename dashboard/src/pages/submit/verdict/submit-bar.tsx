/** Sends the job, once: however often the button is pressed or the answer is lost, the same text makes one job. */
import { Button } from '@mantine/core';
import { useNavigate } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';
import { asProblem, type Problem } from '../../../api/problem.ts';
import { request } from '../../../api/request.ts';
import { ProblemText } from '../../../ui/problem-text.tsx';
import type { Draft } from '../spec/draft.ts';
import classes from '../submit.module.css';

interface SubmitBarProps {
  readonly draft: Draft;
  /** A folder is still on its way. */
  readonly busy: boolean;
  readonly allowed: boolean;
  /** Takes back every change; null when there is none. */
  readonly onReset: (() => void) | null;
  readonly onSubmitted: () => void;
}

export function SubmitBar({ draft, busy, allowed, onReset, onSubmitted }: SubmitBarProps) {
  const navigate = useNavigate();
  const [sending, setSending] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const key = useRef<{ text: string; value: string }>(undefined);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what was said of another text holds no longer
  useEffect(() => setProblem(null), [draft.text]);

  const submit = async () => {
    if (draft.kind !== 'readable') return;
    if (key.current?.text !== draft.text) key.current = { text: draft.text, value: crypto.randomUUID() };
    setSending(true);
    setProblem(null);
    try {
      const made = await request(
        'POST /v1/jobs',
        { body: draft.spec as never },
        { headers: { 'idempotency-key': key.current.value } },
      );
      key.current = undefined;
      onSubmitted();
      if (made.id !== null) await navigate({ to: '/jobs/$id', params: { id: made.id } });
    } catch (error) {
      setProblem(asProblem(error));
    } finally {
      setSending(false);
    }
  };
  return (
    <div className={classes.submitBar}>
      <div className={classes.row}>
        <Button onClick={submit} loading={sending} disabled={!allowed || busy || draft.kind === 'broken'}>
          Submit
        </Button>
        {onReset !== null && (
          <Button variant="default" onClick={onReset}>
            Begin again
          </Button>
        )}
      </div>
      {problem !== null && <ProblemText problem={problem} />}
    </div>
  );
}
