/** The dialog of a ConfirmButton: the question, what happens then, and the two ways on. */
import { Button, Group, Modal, Text, TextInput } from '@mantine/core';
import './inputs.css';
import './overlays.css';
import { useEffect, useState } from 'react';
import { asProblem, type Problem } from '../api/problem.ts';
import type { Confirmation } from './confirm-button.tsx';
import { ProblemText } from './problem-text.tsx';

interface ConfirmDialogProps extends Confirmation {
  readonly opened: boolean;
  readonly onClose: () => void;
}

export default function ConfirmDialog(props: ConfirmDialogProps) {
  const { opened, onClose, question, consequence, confirm, typing, onConfirm } = props;
  const [typed, setTyped] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  useEffect(() => {
    if (!opened) return;
    setTyped('');
    setProblem(null);
  }, [opened]);
  const run = async () => {
    setBusy(true);
    setProblem(null);
    try {
      await onConfirm();
      onClose();
    } catch (error) {
      setProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Modal opened={opened} onClose={onClose} title={question} centered>
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
        <Button variant="default" onClick={onClose} data-autofocus={typing === undefined ? true : undefined}>
          Keep
        </Button>
        <Button color="red" loading={busy} disabled={typing !== undefined && typed !== typing} onClick={run}>
          {confirm}
        </Button>
      </Group>
    </Modal>
  );
}
