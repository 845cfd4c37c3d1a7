/** What can be done with the rows that were chosen. */
import { Button } from '@mantine/core';
import { useState } from 'react';
import type { Job } from '../../api/contract.ts';
import { ConfirmButton } from '../../ui/confirm-button.tsx';
import { cancelMany } from './cancel-many.ts';
import classes from './jobs.module.css';

interface BulkProps {
  readonly rows: readonly Job[];
  readonly chosen: ReadonlySet<string>;
  readonly onDone: () => void;
}

/** Names that the question tells; the rest is a number. */
const mostNames = 5;

export default function BulkBar({ rows, chosen, onDone }: BulkProps) {
  const [done, setDone] = useState<number | null>(null);
  const jobs = rows.filter(({ id }) => chosen.has(id));
  const alive = jobs.filter(({ endedAt }) => endedAt === null);
  const running = alive.filter(({ state }) => state !== 'queued').length;
  const names = alive.slice(0, mostNames).map(({ name }) => name);
  const more = alive.length > names.length ? ` and ${alive.length - names.length} more` : '';
  const plural = alive.length === 1 ? 'job' : 'jobs';
  const cancel = async () => {
    setDone(0);
    try {
      await cancelMany(
        alive.map(({ id }) => id),
        setDone,
      );
      onDone();
    } finally {
      setDone(null);
    }
  };
  return (
    <section className={classes.bulk} aria-label="Chosen jobs">
      <span role="status">
        {jobs.length} chosen
        {alive.length < jobs.length && `, ${jobs.length - alive.length} of them ended`}
        {done !== null && `, ${done} of ${alive.length} cancelled`}
      </span>
      <ConfirmButton
        color="red"
        size="xs"
        disabled={alive.length === 0}
        question={`Cancel ${alive.length} ${plural}?`}
        consequence={`${names.join(', ')}${more}. ${running === 0 ? 'None of them runs yet.' : `${running} of them run and get their grace to end; what they have not saved is lost.`}`}
        confirm={`Cancel ${alive.length} ${plural}`}
        onConfirm={cancel}
      >
        Cancel jobs
      </ConfirmButton>
      <Button variant="default" size="xs" onClick={onDone}>
        Choose none
      </Button>
    </section>
  );
}
