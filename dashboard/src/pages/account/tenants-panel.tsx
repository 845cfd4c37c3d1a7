/** The tenants of one person, to change between; nothing where there is only one. */
import { useQuery } from '@tanstack/react-query';
import { read } from '../../api/queries.ts';
import { useArrival } from '../../identity/sign-in.ts';
import { TenantChoice } from '../../identity/tenant-choice.tsx';
import { Panel } from '../../ui/panel.tsx';
import classes from './account.module.css';

export function TenantsPanel() {
  const query = useQuery(read('GET /v1/sessions/tenants'));
  const arrive = useArrival();
  if (query.data === undefined || query.data.items.length < 2) return null;
  return (
    <Panel title="Your tenants" query={query}>
      {({ items }) => (
        <div className={classes.tenants}>
          <TenantChoice tenants={items} onChosen={(me) => arrive(me, '/')} onStay={() => {}} />
        </div>
      )}
    </Panel>
  );
}
