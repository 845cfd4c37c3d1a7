/**
 * A button for what cannot be taken back at once: a first press asks, naming what happens; a second does it.
 *
 * With `typing` (only for what can never be undone) the name of the thing must be typed. The dialog is loaded when somebody is
 * about to press: dialogs weigh more than most pages.
 */
import { Button, type ButtonProps } from '@mantine/core';
import { lazy, type ReactNode, Suspense, useState } from 'react';

const loadDialog = () => import('./confirm-dialog.tsx');
const ConfirmDialog = lazy(loadDialog);
const prepare = () => void loadDialog().catch(() => undefined);

/** What the dialog asks, and does. */
export interface Confirmation {
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

interface ConfirmButtonProps extends ButtonProps, Confirmation {
  /** The verb: what the button says. */
  readonly children: ReactNode;
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
  const [open, setOpen] = useState(false);
  // Once loaded it stays, so that closing can be seen and the focus goes back where it was.
  const [used, setUsed] = useState(false);
  const ask = () => {
    setUsed(true);
    setOpen(true);
  };
  return (
    <>
      <Button {...button} onPointerEnter={prepare} onFocus={prepare} onClick={ask}>
        {children}
      </Button>
      <Suspense>
        {used && (
          <ConfirmDialog
            opened={open}
            onClose={() => setOpen(false)}
            question={question}
            consequence={consequence}
            confirm={confirm ?? children}
            typing={typing}
            onConfirm={onConfirm}
          />
        )}
      </Suspense>
    </>
  );
}
