/**
 * A button that opens a form, sends it, and shows what came of it. Problems stay beside the fields; a secret that is shown once stays
 * until the person closes it.
 */
import { Button, Group, Modal, Stack } from '@mantine/core';
import '../../ui/overlays.css';
import { useQueryClient } from '@tanstack/react-query';
import { type FormEvent, type ReactNode, useState } from 'react';
import { asProblem, type Problem } from '../../api/problem.ts';
import { ProblemText } from '../../ui/problem-text.tsx';

interface CreateDialogProps<Made> {
  /** The verb with its object: `Invite a person`. */
  readonly label: string;
  readonly size?: 'xs' | 'compact-xs';
  /** The verb of the second press; default: the label. */
  readonly submit?: string;
  /** Sends the form. */
  readonly onSubmit: (form: FormData) => Promise<Made>;
  /** Lists that are read again afterwards, by their endpoints. */
  readonly changes: readonly string[];
  /** What is shown afterwards; without it the dialog closes. */
  readonly done?: (made: Made) => ReactNode;
  readonly children: ReactNode;
}

export function CreateDialog<Made>({
  label,
  size = 'xs',
  submit,
  onSubmit,
  changes,
  done,
  children,
}: CreateDialogProps<Made>) {
  const cache = useQueryClient();
  const [open, setOpen] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [made, setMade] = useState<{ readonly value: Made } | null>(null);
  const show = () => {
    setProblem(null);
    setMade(null);
    setOpen(true);
  };
  const send = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      const value = await onSubmit(new FormData(event.currentTarget));
      await Promise.all(changes.map((endpoint) => cache.invalidateQueries({ queryKey: [endpoint] })));
      if (done) setMade({ value });
      else setOpen(false);
    } catch (error) {
      setProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <Button size={size} variant={size === 'xs' ? 'filled' : 'default'} onClick={show}>
        {label}
      </Button>
      <Modal opened={open} onClose={() => setOpen(false)} title={label} centered closeOnClickOutside={made === null}>
        {made !== null ? (
          <Stack gap="md">
            {done?.(made.value)}
            <Group justify="flex-end">
              <Button onClick={() => setOpen(false)} data-autofocus>
                Done
              </Button>
            </Group>
          </Stack>
        ) : (
          <form onSubmit={send}>
            <Stack gap="sm">
              {children}
              {problem !== null && <ProblemText problem={problem} />}
              <Group justify="flex-end" gap="xs">
                <Button variant="default" onClick={() => setOpen(false)}>
                  Keep as it is
                </Button>
                <Button type="submit" loading={busy}>
                  {submit ?? label}
                </Button>
              </Group>
            </Stack>
          </form>
        )}
      </Modal>
    </>
  );
}

/** A field's text; undefined when it is empty. */
export function textIn(form: FormData, name: string): string | undefined {
  const value = form.get(name);
  return typeof value === 'string' && value !== '' ? value : undefined;
}
