/** Projects: what jobs, keys, secrets and spending belong to. */
import { TextInput } from '@mantine/core';
import '../../ui/inputs.css';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { Item } from '../../api/contract.ts';
import { read } from '../../api/queries.ts';
import { request } from '../../api/request.ts';
import { ConfirmButton } from '../../ui/confirm-button.tsx';
import type { Column } from '../../ui/data-table.tsx';
import { Count, Quantity, Usd } from '../../ui/quantity.tsx';
import { Time } from '../../ui/time.tsx';
import classes from './admin.module.css';
import { CreateDialog, textIn } from './create-dialog.tsx';
import { ListPanel } from './list-panel.tsx';
import { useList } from './use-list.ts';

type Project = Item<'GET /v1/projects'>;

const projects = 'GET /v1/projects';
/** What shows the names of projects. */
const shown = [projects, 'GET /v1/usage', 'GET /v1/whoami', 'GET /v1/jobs'];

export function Projects() {
  const list = useList(projects);
  const { data } = useQuery(read('GET /v1/usage'));
  const usage = new Map(data?.items.map((item) => [item.project.id, item]));
  const columns: readonly Column<Project>[] = [
    {
      id: 'name',
      header: 'Project',
      primary: true,
      width: 'minmax(140px, 2fr)',
      cell: ({ name }) => (
        <Link to="/jobs" search={{ project: name }}>
          {name}
        </Link>
      ),
    },
    { id: 'jobs', header: 'Jobs that ran', align: 'end', cell: ({ id }) => <Count value={usage.get(id)?.jobs ?? 0} /> },
    {
      id: 'cost',
      header: 'Cost',
      align: 'end',
      cell: ({ id }) => <Usd value={usage.get(id)?.usage.costUsd ?? '0'} source="from the usage of its jobs" />,
    },
    {
      id: 'energy',
      header: 'Energy',
      align: 'end',
      cell: ({ id }) => {
        const used = usage.get(id)?.usage;
        return (
          <Quantity value={(used?.energyKwh ?? 0) * 1000} unit="Wh" scaled source={used?.energySource ?? undefined} />
        );
      },
    },
    { id: 'created', header: 'Created', align: 'end', cell: ({ createdAt }) => <Time at={createdAt} /> },
    {
      id: 'actions',
      header: 'Actions',
      width: 'minmax(160px, 1fr)',
      align: 'end',
      cell: (project) => <ProjectActions project={project} />,
    },
  ];
  return (
    <ListPanel
      title="Projects"
      list={list}
      columns={columns}
      rowId={({ id }) => id}
      rowName={({ name }) => name}
      empty={{ why: 'There is no project.' }}
      actions={
        <CreateDialog
          label="Create a project"
          submit="Create"
          changes={[projects]}
          onSubmit={(form) => request('POST /v1/projects', { body: { name: textIn(form, 'name') ?? '' } })}
        >
          <TextInput name="name" label="Name" required data-autofocus />
        </CreateDialog>
      }
    />
  );
}

function ProjectActions({ project: { id, name } }: { readonly project: Project }) {
  const cache = useQueryClient();
  const params = { id };
  return (
    <div className={classes.row}>
      <CreateDialog
        label="Rename"
        size="compact-xs"
        changes={shown}
        onSubmit={(form) => request('PATCH /v1/projects/:id', { params, body: { name: textIn(form, 'name') ?? '' } })}
      >
        <TextInput
          name="name"
          label={`New name of ${name}`}
          description="Jobs, keys and spending stay with it. Specs that name it need the new name."
          defaultValue={name}
          required
          data-autofocus
        />
      </CreateDialog>
      <ConfirmButton
        size="compact-xs"
        variant="default"
        question={`Delete ${name}?`}
        consequence="Only a project that nothing belongs to can be deleted: no jobs, keys, people, secrets, channels, reservations or quotas."
        onConfirm={async () => {
          await request('DELETE /v1/projects/:id', { params });
          await cache.invalidateQueries({ queryKey: [projects] });
        }}
      >
        Delete
      </ConfirmButton>
    </div>
  );
}
