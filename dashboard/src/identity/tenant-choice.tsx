/** Which tenant to go on in, for who belongs to several. */
import { Button } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import type { Output, Whoami } from '../api/contract.ts';
import { request } from '../api/request.ts';
import classes from './gate.module.css';
import { Trouble } from './trouble.tsx';

export type OwnTenant = Output<'GET /v1/sessions/tenants'>['items'][number];

interface TenantChoiceProps {
  readonly tenants: readonly OwnTenant[];
  /** Who she is in the chosen tenant. */
  readonly onChosen: (me: Whoami) => void;
  /** Called instead for the tenant that she is in already. */
  readonly onStay: () => void;
}

export function TenantChoice({ tenants, onChosen, onStay }: TenantChoiceProps) {
  const change = useMutation({
    mutationFn: (tenantId: string) => request('POST /v1/sessions/current/tenant', { body: { tenantId } }),
    onSuccess: onChosen,
  });
  return (
    <>
      <ul className={classes.tenants}>
        {tenants.map(({ tenant, role, current }) => (
          <li key={tenant.id}>
            <Button
              fullWidth
              variant={current ? 'filled' : 'default'}
              justify="space-between"
              rightSection={role}
              loading={change.isPending && change.variables === tenant.id}
              onClick={() => (current ? onStay() : change.mutate(tenant.id))}
            >
              {tenant.name}
            </Button>
          </li>
        ))}
      </ul>
      {change.error && <Trouble error={change.error} />}
    </>
  );
}
