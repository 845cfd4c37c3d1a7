/**
 * A button for what cannot be taken back at once: a first press asks, naming what happens; a second does it.
 *
 * With `typing` (only for what can never be undone) the name of the thing must be typed.
 */
import { Button, type ButtonProps, Group, Modal, Text, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { type ReactNode, useState } from 'react';
import { asProblem, type Problem } from '../api/problem.ts';
import { ProblemText } from './problem-text.tsx';

interface ConfirmButtonProps extends ButtonProps {
  /** The verb: what the button says. */
  readonly children: ReactNode;
  /** The question, naming what is affected: `Cancel 12 jobs?` */
  readonly question: string;
  /** What happens then. */
  readonly consequence?: ReactNode;
  /** The verb of the second press; default: the button's text. */
  readonly confirm?: ReactNode;
  /** Text to type before it may be pressed. */
  readonly typing?: string | undefined;
  /** Does it; what it throws is shown in the dialog. */
  readonly onConfirm: () => Promise<unknown>;
}

export function ConfirmButton({
  question,
  consequence,
  confirm,
  typing,
  onConfirm,
  children,
  ...button
}: ConfirmButtonProps) {
  const [open, { open: show, close }] = useDisclosure(false);
  const [typed, setTyped] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const ask = () => {
    setTyped('');
    setProblem(null);
    show();
  };
  const run = async () => {
    setBusy(true);
    setProblem(null);
    try {
      await onConfirm();
      close();
    } catch (error) {
      setProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <Button {...button} onClick={ask}>
        {children}
      </Button>
      <Modal opened={open} onClose={close} title={question} centered>
        {consequence !== undefined && <Text size="sm">{consequence}</Text>}
        {typing !== undefined && (
          <TextInput
            mt="md"
            label={`Type ${typing} to confirm`}
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
            data-autofocus
          />
        )}
        {problem !== null && <ProblemText problem={problem} />}
        <Group justify="flex-end" mt="lg" gap="xs">
          <Button variant="default" onClick={close} data-autofocus={typing === undefined ? true : undefined}>
            Keep
          </Button>
          <Button color="red" loading={busy} disabled={typing !== undefined && typed !== typing} onClick={run}>
            {confirm ?? children}
          </Button>
        </Group>
      </Modal>
    </>
  );
}
