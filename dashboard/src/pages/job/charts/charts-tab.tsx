/** Curves of a job: what it wrote about its training, and what its devices did meanwhile, under one cursor. */

import { Button, Select, TextInput } from '@mantine/core';
import '../../../ui/inputs.css';
import '../../../ui/overlays.css';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import type { JobDetail } from '../../../api/contract.ts';
import { listOf, type Search } from '../../../app/search.ts';
import { Choice } from '../../../ui/choice.tsx';
import type { Axis } from '../../../ui/curves.ts';
import job_ from '../job.module.css';
import classes from './charts.module.css';
import { ComparedMetrics, TrainingMetrics } from './metric-charts.tsx';
import { DeviceCharts } from './telemetry-charts.tsx';

/** Most jobs in one picture: the server takes 16. */
const mostOthers = 15;

export function Tab({ job }: { readonly job: JobDetail }) {
  const search = useSearch({ strict: false }) as Search;
  const navigate = useNavigate();
  const others = listOf(search, 'with')
    .filter((id) => id !== job.id)
    .slice(0, mostOthers);
  const [chosen, setChosen] = useState<string | null>(null);
  const [all, setAll] = useState(false);
  const [asked, setAsked] = useState<Axis | null>(null);
  const attempt = job.attempts.find(({ number }) => String(number) === chosen) ?? job.attempts.at(-1);
  const compares = others.length > 0 || all;
  const axis = asked ?? (compares ? 'step' : 'time');
  const compareWith = (ids: readonly string[]) =>
    void navigate({
      to: '.',
      search: (now: Search) => ({ ...now, with: ids }),
      replace: true,
      resetScroll: false,
    });

  if (attempt === undefined) {
    return <p className={job_.dim}>Curves appear here when the job has started: it has not run yet.</p>;
  }
  return (
    <div className={job_.stack}>
      <div className={classes.bar}>
        {job.attempts.length > 1 && (
          <Select
            size="xs"
            label="Attempt"
            w={150}
            allowDeselect={false}
            value={all ? 'all' : String(attempt.number)}
            onChange={(value) => {
              setAll(value === 'all');
              setChosen(value);
            }}
            data={[
              ...job.attempts.map(({ number }) => ({ value: String(number), label: `Attempt ${number}` })).reverse(),
              { value: 'all', label: 'All, compared' },
            ]}
          />
        )}
        <div className={classes.axis}>
          <span className={classes.label} aria-hidden="true">
            Along
          </span>
          <Choice
            label="Along"
            value={axis}
            onChange={setAsked}
            options={[
              { value: 'time', label: 'Time', disabled: compares },
              { value: 'elapsed', label: 'Run time' },
              { value: 'step', label: 'Step' },
            ]}
          />
        </div>
        <CompareForm others={others} onAdd={(id) => compareWith([...others, id])} self={job.id} />
      </div>
      {others.length > 0 && (
        <ul className={classes.others} aria-label="Compared with">
          {others.map((id) => (
            <li key={id}>
              <code>{id}</code>
              <Button
                size="compact-xs"
                variant="subtle"
                onClick={() => compareWith(others.filter((other) => other !== id))}
                aria-label={`Compare no longer with ${id}`}
              >
                Remove
              </Button>
            </li>
          ))}
        </ul>
      )}
      {compares ? (
        <ComparedMetrics job={job} others={others} all={all} axis={axis === 'time' ? 'elapsed' : axis} />
      ) : (
        <TrainingMetrics job={job} attempt={attempt.number} axis={axis} />
      )}
      <DeviceCharts job={job} attempt={attempt} axis={axis === 'elapsed' ? 'elapsed' : 'time'} />
    </div>
  );
}

interface CompareFormProps {
  readonly others: readonly string[];
  readonly onAdd: (id: string) => void;
  /** Id of this job, which is compared with itself in vain. */
  readonly self: string;
}

function CompareForm({ others, onAdd, self }: CompareFormProps) {
  const [text, setText] = useState('');
  const id = /job_[0-9a-z]+/.exec(text)?.[0];
  const wrong =
    text !== '' && id === undefined
      ? 'An id like job_… or the address of a job page'
      : id === self
        ? 'That is this job'
        : undefined;
  const add = (event: FormEvent) => {
    event.preventDefault();
    if (id === undefined || wrong !== undefined) return;
    if (!others.includes(id)) onAdd(id);
    setText('');
  };
  return (
    <form className={classes.compare} onSubmit={add}>
      <TextInput
        size="xs"
        label="Compare with job"
        placeholder="job_…"
        value={text}
        error={wrong}
        onChange={(event) => setText(event.currentTarget.value)}
      />
      <Button
        type="submit"
        size="xs"
        variant="default"
        disabled={id === undefined || wrong !== undefined || others.length >= mostOthers}
      >
        Add
      </Button>
    </form>
  );
}
