/** A secret that nobody can show again: selected by a click, copied by a button. */
import { Text } from '@mantine/core';
import { CopyId } from '../../ui/copy-id.tsx';
import classes from './admin.module.css';

export function ShownOnce({ value, what }: { readonly value: string; readonly what: string }) {
  return (
    <div>
      <Text size="sm">{what} Copy it now: it is not kept, and cannot be shown again.</Text>
      <p className={classes.secret}>
        <CopyId id={value} />
      </p>
    </div>
  );
}
