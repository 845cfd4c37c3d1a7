/** Fields that several forms of the admin page have. */
import { Select } from '@mantine/core';
import '../../ui/inputs.css';
import '../../ui/overlays.css';
import { useQuery } from '@tanstack/react-query';
import type { Role } from '../../api/contract.ts';
import { read } from '../../api/queries.ts';

const roleWords: Readonly<Record<Role, string>> = {
  viewer: 'viewer: sees everything of the tenant',
  member: 'member: also submits and cancels jobs',
  admin: 'admin: also manages people, keys and projects',
};

export function RoleField({ initial = 'member' }: { readonly initial?: Role }) {
  return (
    <Select
      name="role"
      label="Role"
      defaultValue={initial}
      allowDeselect={false}
      data={Object.entries(roleWords).map(([value, label]) => ({ value, label }))}
    />
  );
}

/** @param none what it means that none is chosen; without it one must be */
export function ProjectField({ none, label = 'Project' }: { readonly none: string; readonly label?: string }) {
  const { data } = useQuery(read('GET /v1/projects', { query: { limit: 200 } }));
  return (
    <Select
      name="project"
      label={label}
      placeholder={none}
      clearable
      searchable
      data={(data?.items ?? []).map(({ name }) => name)}
    />
  );
}

const day = 86_400;

export function ExpiryField({ never = true }: { readonly never?: boolean }) {
  return (
    <Select
      name="expires"
      label="Expires"
      defaultValue={never ? '' : String(day)}
      allowDeselect={false}
      data={[
        ...(never ? [{ value: '', label: 'never' }] : []),
        { value: String(day), label: 'after a day' },
        { value: String(30 * day), label: 'after 30 days' },
        { value: String(90 * day), label: 'after 90 days' },
        { value: String(365 * day), label: 'after a year' },
      ]}
    />
  );
}
