/**
 * A shell in the running job. Nothing is opened before somebody asks for it: looking at a page runs no command and writes no audit entry.
 */
import { Button, NativeSelect } from '@mantine/core';
import '../../../ui/inputs.css';
import { useEffect, useId, useRef, useState } from 'react';
import type { JobDetail } from '../../../api/contract.ts';
import { usePreference } from '../../../app/preference.ts';
import { useSession } from '../../../app/session.ts';
import { Screen, type ScreenState } from './screen.tsx';
import type { ShellEnd } from './shell-session.ts';
import classes from './terminal.module.css';
import { describeEnd } from './words.ts';

const isBoolean = (value: unknown): value is boolean => typeof value === 'boolean';

export function Tab({ job }: { readonly job: JobDetail }) {
  const { me, can } = useSession();
  const ranks = job.attempts.at(-1)?.ranks.length ?? 1;
  const [rank, setRank] = useState(0);
  const [forReaders, setForReaders] = usePreference('terminalForReaders', isBoolean, false);
  /** Number of the session; 0: none was asked for. */
  const [session, setSession] = useState(0);
  const [state, setState] = useState<ScreenState>('connecting');
  const [end, setEnd] = useState<ShellEnd>();
  const leave = useRef<HTMLButtonElement>(null);
  const readers = useId();
  const isOpen = session > 0 && end === undefined;
  const start = () => {
    setEnd(undefined);
    setState('connecting');
    setSession((number) => number + 1);
  };
  // The one way out stays reachable: when a session has ended, the next one is a key away.
  useEffect(() => {
    if (end !== undefined) leave.current?.focus();
  }, [end]);

  if (me !== undefined && !can('member')) {
    return <p className={classes.dim}>A shell needs role member; ask an admin of this tenant for it.</p>;
  }
  return (
    <div className={classes.part}>
      <div className={classes.tools}>
        {isOpen ? (
          <Button
            ref={leave}
            size="xs"
            variant="default"
            onClick={() => setEnd({ kind: 'exit', code: null, signal: 'closed here' })}
          >
            Close the shell
          </Button>
        ) : (
          <Button ref={leave} size="xs" onClick={start}>
            {session === 0 ? 'Open a shell' : 'Open a new shell'}
          </Button>
        )}
        {ranks > 1 && (
          <NativeSelect
            size="xs"
            aria-label="Rank of the job"
            disabled={isOpen}
            value={String(rank)}
            onChange={({ currentTarget }) => setRank(Number(currentTarget.value))}
            data={Array.from({ length: ranks }, (_, index) => ({ value: String(index), label: `rank ${index}` }))}
          />
        )}
        <p className={classes.dim} aria-live="polite">
          {isOpen && state === 'connecting' ? 'Connecting …' : ''}
        </p>
        <p className={`${classes.dim} ${classes.push}`}>
          <input
            id={readers}
            type="checkbox"
            checked={forReaders}
            onChange={({ currentTarget }) => setForReaders(currentTarget.checked)}
          />{' '}
          <label htmlFor={readers}>For screen readers</label>
        </p>
        {isOpen && (
          <p className={classes.dim}>
            Every key goes to the job. <kbd>Ctrl</kbd> <kbd>Shift</kbd> <kbd>X</kbd> leaves the terminal.
          </p>
        )}
      </div>
      {end !== undefined && (
        <div className={classes.ended} role="status">
          <p>{describeEnd(end)}</p>
        </div>
      )}
      {session === 0 ? (
        <p className={classes.dim}>
          The shell runs in the job: as its user, with its files, within its limits. Who opened it and when is in the
          audit log.
        </p>
      ) : (
        <Screen
          key={session}
          jobId={job.id}
          rank={rank}
          isOpen={isOpen}
          forReaders={forReaders}
          onState={setState}
          onEnd={setEnd}
          onLeave={() => leave.current?.focus()}
        />
      )}
    </div>
  );
}
