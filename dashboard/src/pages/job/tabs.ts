/** Parts of the job page, in their order. All but the first are chunks of their own. */
import type { ReactNode } from 'react';
import type { JobDetail } from '../../api/contract.ts';

export interface TabModule {
  readonly Tab: (props: { readonly job: JobDetail }) => ReactNode;
}

interface TabEntry {
  readonly id: string;
  readonly label: string;
  readonly load?: () => Promise<TabModule>;
  readonly isShown?: (job: JobDetail) => boolean;
}

/** The terminal is a part of its own; where it is not built, there is no tab. */
const terminal = Object.values(import.meta.glob<TabModule>('./terminal/index.tsx'))[0];

export const tabs: readonly TabEntry[] = [
  { id: 'overview', label: 'Overview' },
  { id: 'logs', label: 'Logs', load: () => import('./log/log-tab.tsx') },
  { id: 'charts', label: 'Charts', load: () => import('./charts/charts-tab.tsx') },
  { id: 'attempts', label: 'Attempts', load: () => import('./attempts/attempts-tab.tsx') },
  { id: 'spec', label: 'Spec', load: () => import('./spec/spec-tab.tsx') },
  { id: 'events', label: 'Events', load: () => import('./events/events-tab.tsx') },
  ...(terminal === undefined
    ? []
    : [{ id: 'terminal', label: 'Terminal', load: terminal, isShown: (job: JobDetail) => job.state === 'running' }]),
];
