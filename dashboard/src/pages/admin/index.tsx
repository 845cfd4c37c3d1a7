/**
 * Admin: people, service accounts, keys, projects, quotas, reservations, secrets, notifications and the audit log, each under an
 * address of its own.
 */
import { Link, useParams } from '@tanstack/react-router';
import type { ComponentType } from 'react';
import { NotFound } from '../../app/not-found.tsx';
import classes from './admin.module.css';
import { AuditLog } from './audit.tsx';
import { Keys } from './keys.tsx';
import { Notifications } from './notifications.tsx';
import { People } from './people.tsx';
import { Projects } from './projects.tsx';
import { Quotas } from './quotas.tsx';
import { Reservations } from './reservations.tsx';
import { Secrets } from './secrets.tsx';
import { ServiceAccounts } from './service-accounts.tsx';

const tabs: Readonly<Record<string, { readonly label: string; readonly Tab: ComponentType }>> = {
  people: { label: 'People', Tab: People },
  'service-accounts': { label: 'Service accounts', Tab: ServiceAccounts },
  keys: { label: 'Keys', Tab: Keys },
  projects: { label: 'Projects', Tab: Projects },
  quotas: { label: 'Quotas', Tab: Quotas },
  reservations: { label: 'Reservations', Tab: Reservations },
  secrets: { label: 'Secrets', Tab: Secrets },
  notifications: { label: 'Notifications', Tab: Notifications },
  audit: { label: 'Audit log', Tab: AuditLog },
};

export function Page() {
  const { _splat } = useParams({ strict: false });
  const shown = _splat || 'people';
  const tab = Object.hasOwn(tabs, shown) ? tabs[shown] : undefined;
  if (tab === undefined) return <NotFound />;
  const { Tab } = tab;
  return (
    <div className={classes.page}>
      <h1>Admin</h1>
      <nav className={classes.tabs} aria-label="Parts of the admin page">
        {Object.entries(tabs).map(([path, { label }]) => (
          <Link
            key={path}
            to="/admin/$"
            params={{ _splat: path }}
            {...(path === shown && { 'aria-current': 'page' as const })}
          >
            {label}
          </Link>
        ))}
      </nav>
      <Tab />
    </div>
  );
}
