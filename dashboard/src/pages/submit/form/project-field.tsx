/** The project that the job belongs to, of those that there are. */
import { Select } from '@mantine/core';
import '../../../ui/inputs.css';
import '../../../ui/overlays.css';
import { useQuery } from '@tanstack/react-query';
import { read } from '../../../api/queries.ts';
import { useSession } from '../../../app/session.ts';
import { valueAt } from '../spec/draft.ts';
import { fields, textOf } from '../spec/fields.ts';
import type { PartProps } from './form.tsx';

export function ProjectField({ spec, edit, issues }: PartProps) {
  const { me } = useSession();
  const { data, error } = useQuery({ ...read('GET /v1/projects', { query: { limit: 500 } }), staleTime: 60_000 });
  const text = textOf(valueAt(spec, fields.project.path));
  const names = new Set([...(data?.items.map(({ name }) => name) ?? []), ...(text === '' ? [] : [text])]);
  return (
    <Select
      label={fields.project.label}
      description={error === null ? 'Who pays for it.' : 'The list of projects cannot be read now.'}
      error={issues.project}
      size="xs"
      searchable={names.size > 8}
      allowDeselect={false}
      value={text}
      onChange={(value) => edit(fields.project.path, value || undefined)}
      data={[
        { value: '', label: me === undefined ? 'default of the key' : `${me.project.name} (default)` },
        ...[...names].sort().map((name) => ({ value: name, label: name })),
      ]}
    />
  );
}
