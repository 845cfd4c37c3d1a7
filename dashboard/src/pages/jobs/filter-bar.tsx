/** The filters, as they stand in the address: each change is one. The name is taken over when typing pauses. */
import { Button, Checkbox, NativeSelect, Pill, TextInput } from '@mantine/core';
import '../../ui/inputs.css';
import { useDebouncedCallback } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { type KeyboardEvent, useEffect, useRef, useState } from 'react';
import type { JobState } from '../../api/contract.ts';
import { read } from '../../api/queries.ts';
import { useShortcuts, useSingleKeys } from '../../app/keys.ts';
import { jobTones, StateMark } from '../../ui/state-mark.tsx';
import { type Filters, filterSearch, isFiltered, isLabel, isNamePrefix, noFilters, type Span } from './filters.ts';
import classes from './jobs.module.css';

interface FilterProps {
  readonly filters: Filters;
  readonly onChange: (filters: Filters) => void;
}

const states = Object.keys(jobTones) as JobState[];

export function FilterBar({ filters, onChange }: FilterProps) {
  const toggle = (state: JobState) => {
    const has = filters.states.includes(state);
    onChange({ ...filters, states: has ? filters.states.filter((one) => one !== state) : [...filters.states, state] });
  };
  const [open, setOpen] = useState(false);
  const count = Object.keys(filterSearch(filters)).length;
  return (
    <search className={classes.filters} data-open={open} aria-label="Filter the jobs">
      <Button className={classes.more} variant="default" size="xs" aria-expanded={open} onClick={() => setOpen(!open)}>
        {count === 0 ? 'Filters' : `Filters (${count})`}
      </Button>
      <fieldset className={classes.states}>
        <legend className={classes.hidden}>State</legend>
        {states.map((state) => (
          <button
            key={state}
            type="button"
            className={classes.state}
            aria-pressed={filters.states.includes(state)}
            onClick={() => toggle(state)}
          >
            <StateMark tone={jobTones[state]}>{state}</StateMark>
          </button>
        ))}
      </fieldset>
      <NameFilter filters={filters} onChange={onChange} />
      <LabelFilter filters={filters} onChange={onChange} />
      <ProjectFilter filters={filters} onChange={onChange} />
      <TimeFilter filters={filters} onChange={onChange} />
      <Checkbox
        size="xs"
        label="Mine"
        checked={filters.mine}
        onChange={(event) => onChange({ ...filters, mine: event.currentTarget.checked })}
      />
      {isFiltered(filters) && (
        <Button variant="subtle" size="compact-sm" onClick={() => onChange(noFilters)}>
          Clear
        </Button>
      )}
      <Chosen filters={filters} onChange={onChange} />
    </search>
  );
}

function NameFilter({ filters, onChange }: FilterProps) {
  const [text, setText] = useState(filters.namePrefix ?? '');
  const input = useRef<HTMLInputElement>(null);
  const { on } = useSingleKeys();
  useShortcuts([{ keys: '/', run: () => input.current?.focus() }], on);
  useEffect(() => setText(filters.namePrefix ?? ''), [filters.namePrefix]);
  const apply = useDebouncedCallback((value: string) => {
    if (value === '' || isNamePrefix(value)) onChange({ ...filters, namePrefix: value === '' ? null : value });
  }, 250);
  const isWrong = text !== '' && !isNamePrefix(text);
  return (
    <TextInput
      ref={input}
      size="xs"
      className={classes.name}
      placeholder="Name begins with"
      aria-label="Name begins with"
      aria-keyshortcuts="/"
      value={text}
      error={isWrong ? 'Letters, digits, ".", "_" and "-" only' : undefined}
      onChange={(event) => {
        setText(event.currentTarget.value);
        apply(event.currentTarget.value.trim());
      }}
    />
  );
}

function LabelFilter({ filters, onChange }: FilterProps) {
  const [text, setText] = useState('');
  const [isWrong, setWrong] = useState(false);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Enter') return;
    const label = text.trim();
    setWrong(label !== '' && !isLabel(label));
    if (!isLabel(label)) return;
    if (!filters.labels.includes(label)) onChange({ ...filters, labels: [...filters.labels, label] });
    setText('');
  };
  return (
    <TextInput
      size="xs"
      className={classes.label}
      placeholder="Label key:value"
      aria-label="Label, as key:value; Enter adds it"
      value={text}
      error={isWrong ? 'Write key:value' : undefined}
      onChange={(event) => setText(event.currentTarget.value)}
      onKeyDown={onKeyDown}
    />
  );
}

function ProjectFilter({ filters, onChange }: FilterProps) {
  const { data } = useQuery({ ...read('GET /v1/projects', { query: { limit: 500 } }), staleTime: 60_000 });
  const names = [
    ...new Set([...(data?.items ?? []).map(({ name }) => name), ...(filters.project ? [filters.project] : [])]),
  ];
  if (names.length < 2 && filters.project === null) return null;
  return (
    <NativeSelect
      size="xs"
      className={classes.select}
      aria-label="Project"
      data={[{ value: '', label: 'Any project' }, ...names]}
      value={filters.project ?? ''}
      onChange={(event) => onChange({ ...filters, project: event.currentTarget.value || null })}
    />
  );
}

const times: readonly { value: Span; label: string }[] = [
  { value: '1h', label: 'Last hour' },
  { value: '24h', label: 'Last 24 hours' },
  { value: '7d', label: 'Last 7 days' },
  { value: '30d', label: 'Last 30 days' },
];

function TimeFilter({ filters, onChange }: FilterProps) {
  return (
    <NativeSelect
      size="xs"
      className={classes.select}
      aria-label="Submitted"
      data={[{ value: '', label: 'Any time' }, ...times]}
      value={filters.since ?? ''}
      onChange={(event) =>
        onChange({ ...filters, since: (event.currentTarget.value || null) as Span | null, from: null, to: null })
      }
    />
  );
}

/** What the fields do not show: labels, and filters that came by the address. */
function Chosen({ filters, onChange }: FilterProps) {
  const pills = [
    ...filters.labels.map((label) => ({
      text: label,
      remove: { ...filters, labels: filters.labels.filter((one) => one !== label) },
    })),
    ...(filters.arrayId ? [{ text: `array ${filters.arrayId}`, remove: { ...filters, arrayId: null } }] : []),
    ...(filters.submittedBy ? [{ text: `by ${filters.submittedBy}`, remove: { ...filters, submittedBy: null } }] : []),
    ...(filters.since === null && filters.from
      ? [{ text: `from ${filters.from}`, remove: { ...filters, from: null } }]
      : []),
    ...(filters.since === null && filters.to
      ? [{ text: `until ${filters.to}`, remove: { ...filters, to: null } }]
      : []),
  ];
  return pills.map(({ text, remove }) => (
    <Pill
      key={text}
      withRemoveButton
      onRemove={() => onChange(remove)}
      removeButtonProps={{ 'aria-label': `Remove the filter ${text}`, 'aria-hidden': false, tabIndex: 0 }}
    >
      {text}
    </Pill>
  ));
}
