/**
 * The command palette (Cmd-K): go to a page, find a job by its name or id, do something with what is open.
 *
 * A combobox over a list box (ARIA APG): the focus stays in the input, the arrows move the choice.
 */
import { Modal } from '@mantine/core';
import '../ui/overlays.css';
import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type KeyboardEvent, type ReactNode, useEffect, useId, useRef, useState } from 'react';
import { read } from '../api/queries.ts';
import { JobStateMark } from '../ui/state-mark.tsx';
import { useRegisteredActions } from './actions.ts';
import { type Entry, matching } from './match.ts';
import { nouns, pageLoader } from './nouns.ts';
import classes from './palette.module.css';
import { useSettingActions } from './setting-actions.ts';

interface Command extends Entry {
  readonly id: string;
  readonly group: string;
  readonly side?: ReactNode;
  readonly run: () => void;
}

export default function Palette({ opened, onClose }: { readonly opened: boolean; readonly onClose: () => void }) {
  return (
    <Modal.Root opened={opened} onClose={onClose} size="lg" yOffset="10vh">
      <Modal.Overlay />
      <Modal.Content aria-label="Commands">
        <PaletteBody onClose={onClose} />
      </Modal.Content>
    </Modal.Root>
  );
}

function PaletteBody({ onClose }: { readonly onClose: () => void }) {
  const [typed, setTyped] = useState('');
  const [chosen, setChosen] = useState(0);
  const list = useRef<HTMLDivElement>(null);
  const id = useId();
  const commands = useCommands(typed);
  const at = Math.min(chosen, commands.length - 1);
  useEffect(() => {
    list.current?.querySelector('[aria-selected=true]')?.scrollIntoView({ block: 'nearest' });
  });
  const run = (command: Command | undefined) => {
    if (!command) return;
    onClose();
    command.run();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'ArrowDown') setChosen((at + 1) % Math.max(1, commands.length));
    else if (event.key === 'ArrowUp') setChosen((at - 1 + commands.length) % Math.max(1, commands.length));
    else if (event.key === 'Enter') run(commands[at]);
    else return;
    event.preventDefault();
  };
  return (
    <>
      <input
        className={classes.input}
        value={typed}
        onChange={(event) => {
          setTyped(event.currentTarget.value);
          setChosen(0);
        }}
        onKeyDown={onKeyDown}
        placeholder="Go to a page, find a job, do something"
        role="combobox"
        aria-label="Go to a page, find a job, do something"
        aria-expanded="true"
        aria-controls={`${id}-list`}
        aria-activedescendant={commands[at] ? `${id}-${at}` : undefined}
        autoComplete="off"
        spellCheck={false}
        data-autofocus
      />
      <div ref={list} id={`${id}-list`} role="listbox" aria-label="Commands" className={classes.list}>
        {commands.map((command, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the input has the focus and the keys
          <div
            key={command.id}
            id={`${id}-${index}`}
            role="option"
            aria-selected={index === at}
            tabIndex={-1}
            className={classes.option}
            onMouseMove={() => setChosen(index)}
            onClick={() => run(command)}
          >
            <span className={classes.group}>{command.group}</span>
            <span className={classes.label}>{command.label}</span>
            {command.side}
          </div>
        ))}
      </div>
      {commands.length === 0 && (
        <p className={classes.none} role="status">
          Nothing is called so. Jobs are found by the beginning of their name, or by their id.
        </p>
      )}
    </>
  );
}

function useCommands(typed: string): Command[] {
  const navigate = useNavigate();
  const pages: Command[] = nouns.map((noun) => ({
    id: `page-${noun.folder}`,
    group: 'Go to',
    label: noun.label,
    run: () => void navigate({ to: noun.path }),
  }));
  if (pageLoader('submit') !== undefined) {
    pages.push({
      id: 'page-submit',
      group: 'Go to',
      label: 'Submit a job',
      words: 'new create run',
      run: () => void navigate({ to: '/submit' }),
    });
  }
  const actions = useRegisteredActions().map((action) => ({ ...action, group: 'Do' }));
  const settings = useSettingActions().map((action) => ({ ...action, group: 'Set' }));
  return [...matching<Command>([...actions, ...pages, ...settings], typed), ...useJobCommands(typed)];
}

/** Jobs whose name begins with what was typed, or the one whose id it is. */
function useJobCommands(typed: string): Command[] {
  const navigate = useNavigate();
  const [text] = useDebouncedValue(typed.trim(), 150);
  const open = (jobId: string) => void navigate({ to: '/jobs/$id', params: { id: jobId } });
  const isId = /^job_[0-9a-z]{26}$/.test(text);
  const isName = !isId && /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$/.test(text);
  const { data } = useQuery({
    ...read('GET /v1/jobs', { query: { namePrefix: text, limit: 8 } }),
    enabled: isName,
    placeholderData: keepPreviousData,
  });
  if (isId) return [{ id: text, group: 'Job', label: text, run: () => open(text) }];
  if (!isName || typed.trim() === '') return [];
  return (data?.items ?? []).map((job) => ({
    id: job.id,
    group: 'Job',
    label: job.name,
    side: <JobStateMark job={job} />,
    run: () => open(job.id),
  }));
}
