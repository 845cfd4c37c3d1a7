/** An id that a click copies. */
import { UnstyledButton } from '@mantine/core';
import { useState } from 'react';
import classes from './copy-id.module.css';

export function CopyId({ id, label = id }: { readonly id: string; readonly label?: string }) {
  const [copied, setCopied] = useState<boolean | null>(null);
  const copy = async () => {
    setCopied(await writeClipboard(id));
    setTimeout(() => setCopied(null), 1_500);
  };
  return (
    <UnstyledButton className={classes.id} onClick={copy} title={`Copy ${id}`} aria-label={`Copy ${id}`}>
      <span className={classes.text}>{label}</span>
      <span className={classes.said} role="status">
        {copied === null ? '' : copied ? 'copied' : 'copying was refused'}
      </span>
    </UnstyledButton>
  );
}

/** @returns whether the browser allowed it; without TLS on another machine it does not */
export async function writeClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
