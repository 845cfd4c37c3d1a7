/** What was done in the tenant, and by whom. The log is a chain: `solyx audit verify` finds what was changed afterwards. */
import { TextInput } from '@mantine/core';
import '../../ui/inputs.css';
import { useDebouncedValue } from '@mantine/hooks';
import { useState } from 'react';
import type { Item } from '../../api/contract.ts';
import { CopyId } from '../../ui/copy-id.tsx';
import type { Column } from '../../ui/data-table.tsx';
import { Time } from '../../ui/time.tsx';
import classes from './admin.module.css';
import { ListPanel } from './list-panel.tsx';
import { useList } from './use-list.ts';

type Entry = Item<'GET /v1/audit'>;

export function AuditLog() {
  const [action, setAction] = useState('');
  const [subject, setSubject] = useState('');
  const [wanted] = useDebouncedValue({ action: action.trim(), subject: subject.trim() }, 250);
  const list = useList('GET /v1/audit', {
    action: wanted.action || undefined,
    subject: wanted.subject || undefined,
  });
  const isFiltered = wanted.action !== '' || wanted.subject !== '';
  return (
    <ListPanel
      title="Audit log"
      list={list}
      columns={columns}
      rowId={({ sequence }) => String(sequence)}
      rowName={({ action, subject }) => `${action} ${subject}`}
      empty={{ why: isFiltered ? 'Nothing in the log matches.' : 'Nothing has been done yet.' }}
      actions={
        <div className={classes.filters}>
          <TextInput
            size="xs"
            aria-label="Action"
            placeholder="Action, like key."
            value={action}
            onChange={(event) => setAction(event.currentTarget.value)}
          />
          <TextInput
            size="xs"
            aria-label="Id of what it was done to"
            placeholder="Id"
            value={subject}
            onChange={(event) => setSubject(event.currentTarget.value)}
          />
        </div>
      }
    >
      <p className={classes.note}>
        Every entry carries the hash of the one before. <code>solyx audit verify</code> checks the chain and its signed
        heads.
      </p>
    </ListPanel>
  );
}

const columns: readonly Column<Entry>[] = [
  { id: 'sequence', header: 'No.', align: 'end', width: '72px', cell: ({ sequence }) => sequence },
  { id: 'at', header: 'When', width: '112px', cell: ({ at }) => <Time at={at} /> },
  { id: 'action', header: 'Action', primary: true, width: 'minmax(140px, 1fr)', cell: ({ action }) => action },
  { id: 'subject', header: 'To what', width: 'minmax(160px, 1fr)', cell: ({ subject }) => <CopyId id={subject} /> },
  { id: 'actor', header: 'By whom', width: 'minmax(160px, 1fr)', cell: ({ actor }) => <CopyId id={actor} /> },
  { id: 'address', header: 'From', cell: ({ address }) => address ?? '–' },
  {
    id: 'data',
    header: 'Details',
    width: 'minmax(200px, 2fr)',
    cell: ({ data }) => {
      const text = Object.entries(data)
        .map(([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
        .join(', ');
      return (
        <span className={classes.data} title={text}>
          {text}
        </span>
      );
    },
  },
];
