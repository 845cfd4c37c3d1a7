/** All keyboard shortcuts, opened by `?`, with the switch that turns single keys off. */
import { Checkbox, Modal } from '@mantine/core';
import '../ui/inputs.css';
import '../ui/overlays.css';
import { useSingleKeys } from './keys.ts';
import { nouns, pageLoader } from './nouns.ts';
import classes from './shortcut-sheet.module.css';

export default function ShortcutSheet({ opened, onClose }: { readonly opened: boolean; readonly onClose: () => void }) {
  const { on, setOn } = useSingleKeys();
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title="Keyboard shortcuts"
      size="md"
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <dl className={classes.keys}>
        <Row keys={['Ctrl', 'K']} what="Commands: go to a page, find a job, do something" />
        <Row keys={['?']} what="This sheet" />
        {nouns.map(({ folder, key, label }) => (
          <Row key={folder} keys={['g', key]} what={label} />
        ))}
        {pageLoader('submit') !== undefined && <Row keys={['g', 's']} what="Submit a job" />}
        <Row keys={['/']} what="Filter by name (Jobs)" />
        <Row keys={['↑', '↓', '←', '→']} what="Walk through a table" />
        <Row keys={['Space']} what="Choose the row (on its checkbox; with Shift a range)" />
        <Row keys={['Enter']} what="Open the job" />
      </dl>
      <Checkbox
        mt="md"
        label="Single keys work (not only with Ctrl)"
        checked={on}
        onChange={(event) => setOn(event.currentTarget.checked)}
      />
    </Modal>
  );
}

function Row({ keys, what }: { readonly keys: readonly string[]; readonly what: string }) {
  return (
    <div className={classes.row}>
      <dt>
        {keys.map((key) => (
          <kbd key={key}>{key}</kbd>
        ))}
      </dt>
      <dd>{what}</dd>
    </div>
  );
}
