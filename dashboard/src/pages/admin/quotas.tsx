/** Quotas: who may use how much of the fleet, and who uses it now. */
import { Checkbox, NumberInput, Select, Text } from '@mantine/core';
import '../../ui/inputs.css';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { Output } from '../../api/contract.ts';
import { read } from '../../api/queries.ts';
import { request } from '../../api/request.ts';
import { ConfirmButton } from '../../ui/confirm-button.tsx';
import type { Column } from '../../ui/data-table.tsx';
import { Count } from '../../ui/quantity.tsx';
import classes from './admin.module.css';
import { CreateDialog, textIn } from './create-dialog.tsx';
import { ProjectField } from './fields.tsx';
import { ListPanel } from './list-panel.tsx';

type Account = Output<'GET /v1/quotas'>['items'][number];

const quotas = 'GET /v1/quotas';

export function Quotas() {
  const query = useQuery(read(quotas));
  return (
    <ListPanel
      title="Quotas"
      list={{ ...query, data: query.data?.items, hasMore: false, loadingMore: false, more: () => {} }}
      columns={columns}
      rowId={idOf}
      rowName={nameOf}
      empty={{ why: 'There are no accounts.' }}
      actions={
        <CreateDialog label="Set a quota" submit="Set" changes={[quotas]} onSubmit={setQuota}>
          <ProjectField none="Choose one" />
          <NumberInput name="weight" label="Weight: its part of what projects share" defaultValue={1} min={0.001} />
          <Select
            name="resource"
            label="Of"
            defaultValue="gpu"
            allowDeselect={false}
            data={['gpu', 'tpu', 'fpga', 'cpu']}
          />
          <NumberInput name="guaranteed" label="Guaranteed, whoever else wants them" placeholder="none" min={0} />
          <NumberInput name="borrow" label="How many more while others leave them" placeholder="no limit" min={0} />
          <NumberInput name="jobs" label="Most jobs at a time" placeholder="no limit" min={0} allowDecimal={false} />
          <NumberInput name="usd" label="Most dollars in a month" placeholder="no limit" min={0} decimalScale={2} />
          <NumberInput name="kwh" label="Most energy in a month, kWh" placeholder="no limit" min={0} />
          <Checkbox name="stop" label="End what runs when they are used up" />
        </CreateDialog>
      }
    >
      <Text size="sm" mb="xs">
        While an account is within what it is guaranteed, its jobs go first. What nobody uses may be borrowed, and is
        given back when its owner wants it.
      </Text>
    </ListPanel>
  );
}

const idOf = ({ project, submitter }: Account): string => `${project?.id ?? 'tenant'}/${submitter?.id ?? ''}`;
const nameOf = ({ project, submitter }: Account): string =>
  project === null
    ? 'The whole tenant'
    : [project.name, submitter?.name].filter((part) => part !== undefined).join(' / ');

const columns: readonly Column<Account>[] = [
  { id: 'account', header: 'Account', primary: true, width: 'minmax(140px, 2fr)', cell: nameOf },
  { id: 'weight', header: 'Weight', align: 'end', width: '80px', cell: ({ weight }) => <Count value={weight} /> },
  {
    id: 'guaranteed',
    header: 'Guaranteed',
    cell: ({ quotas: all }) =>
      all
        .map(({ resource, guaranteed, borrowLimit }) =>
          [resource, guaranteed, borrowLimit === null ? '' : `+ ${borrowLimit} borrowed`].join(' '),
        )
        .join(', ') || 'nothing',
  },
  {
    id: 'limits',
    header: 'Limits',
    cell: ({ limits: { runningJobs, devices } }) =>
      [runningJobs === null ? [] : `${runningJobs} jobs`, devices === null ? [] : `${devices} devices`]
        .flat()
        .join(', ') || 'none',
  },
  {
    id: 'budgets',
    header: 'Spent of the budget',
    cell: ({ budgets }) => budgets.map(budgetText).join(', ') || 'no budget',
  },
  { id: 'jobs', header: 'Jobs now', align: 'end', width: '90px', cell: ({ uses }) => <Count value={uses.jobs} /> },
  {
    id: 'devices',
    header: 'Devices now',
    align: 'end',
    width: '110px',
    cell: ({ uses }) => <Count value={uses.gpu + uses.tpu + uses.fpga} />,
  },
  {
    id: 'share',
    header: 'Share of the fleet',
    align: 'end',
    width: '130px',
    cell: ({ share }) => `${(share * 100).toFixed(1)} %`,
  },
  {
    id: 'actions',
    header: 'Actions',
    align: 'end',
    width: 'minmax(90px, 1fr)',
    cell: (account) => account.declared && account.project !== null && <Remove account={account} />,
  },
];

function budgetText(budget: Account['budgets'][number]): string {
  const amounts =
    budget.kind === 'usd'
      ? `$${cents(budget.spentUsd)} of $${cents(budget.limitUsd)}`
      : `${budget.spentKwh} of ${budget.limitKwh} kWh`;
  return `${amounts} a ${budget.period}`;
}

const cents = (usd: string): string => Number(usd).toFixed(2);

async function setQuota(form: FormData) {
  const number = (name: string) => {
    const text = textIn(form, name);
    return text === undefined ? undefined : Number(text);
  };
  const resource = textIn(form, 'resource') ?? 'gpu';
  const [guaranteed, borrowLimit] = [number('guaranteed'), number('borrow')];
  const isQuota = guaranteed !== undefined || borrowLimit !== undefined;
  const project = textIn(form, 'project');
  return request('PUT /v1/quotas', {
    body: {
      ...(project !== undefined && { project }),
      weight: number('weight') ?? 1,
      quotas: isQuota ? [{ resource, guaranteed: guaranteed ?? 0, borrowLimit: borrowLimit ?? null }] : [],
      limits: { runningJobs: number('jobs') ?? null },
      budgets: budgetsOf(number('usd'), number('kwh'), textIn(form, 'stop') !== undefined),
    },
  });
}

function budgetsOf(usd: number | undefined, kwh: number | undefined, stop: boolean) {
  const how = { period: 'month' as const, onExhausted: stop ? ('stop' as const) : ('wait' as const) };
  return [
    ...(usd === undefined ? [] : [{ kind: 'usd' as const, ...how, limitUsd: usd.toFixed(2) }]),
    ...(kwh === undefined ? [] : [{ kind: 'kwh' as const, ...how, limitKwh: kwh }]),
  ];
}

function Remove({ account }: { readonly account: Account }) {
  const cache = useQueryClient();
  const project = account.project?.name;
  const submitter = account.submitter?.id;
  return (
    <div className={classes.row}>
      <ConfirmButton
        size="compact-xs"
        variant="default"
        question={`Remove what was set for ${nameOf(account)}?`}
        consequence="It shares like the others then: weight 1, no guarantee, no limit."
        onConfirm={async () => {
          await request('DELETE /v1/quotas', {
            query: { ...(project !== undefined && { project }), ...(submitter !== undefined && { submitter }) },
          });
          await cache.invalidateQueries({ queryKey: [quotas] });
        }}
      >
        Remove
      </ConfirmButton>
    </div>
  );
}
