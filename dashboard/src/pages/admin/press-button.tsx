/** A button that does something small at once: what went wrong is told beside it. */
import { Button } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { asProblem } from '../../api/problem.ts';
import { ProblemText } from '../../ui/problem-text.tsx';

interface PressButtonProps {
  readonly label: string;
  readonly onPress: () => Promise<unknown>;
  /** Lists that are read again afterwards, by their endpoints. */
  readonly changes: readonly string[];
}

export function PressButton({ label, onPress, changes }: PressButtonProps) {
  const cache = useQueryClient();
  const { mutate, isPending, error } = useMutation({
    mutationFn: onPress,
    onSuccess: () => Promise.all(changes.map((endpoint) => cache.invalidateQueries({ queryKey: [endpoint] }))),
  });
  return (
    <>
      <Button size="compact-xs" variant="default" loading={isPending} onClick={() => mutate()}>
        {label}
      </Button>
      {error !== null && <ProblemText problem={asProblem(error)} />}
    </>
  );
}
