/** Every address of the dashboard. A page's code is loaded when somebody goes there. */
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  type RouteComponent,
} from '@tanstack/react-router';
import { NotFound } from './not-found.tsx';
import { pageLoader } from './nouns.ts';
import { PageError } from './page-error.tsx';
import { Pending } from './pending.tsx';
import { parseSearch, type Search, stringifySearch } from './search.ts';
import { Shell } from './shell.tsx';

const root = createRootRoute({
  component: Shell,
  notFoundComponent: NotFound,
  errorComponent: PageError,
  validateSearch: (search: Record<string, unknown>) => search as Search,
});

function page(folder: string): RouteComponent {
  const load = pageLoader(folder);
  return load === undefined ? NotFound : lazyRouteComponent(load, 'Page');
}

const route = <const Path extends string>(path: Path, folder: string) =>
  createRoute({ getParentRoute: () => root, path, component: page(folder) });

const routeTree = root.addChildren([
  route('/', 'overview'),
  route('/jobs', 'jobs'),
  route('/jobs/$id', 'job'),
  route('/submit', 'submit'),
  route('/fleet', 'fleet'),
  route('/fleet/$', 'fleet'),
  route('/admin', 'admin'),
  route('/admin/$', 'admin'),
  route('/account', 'account'),
  route('/login', 'login'),
  route('/login/oidc', 'login'),
  route('/invitation', 'invitation'),
]);

export const router = createRouter({
  routeTree,
  parseSearch,
  stringifySearch,
  defaultPreload: 'intent',
  defaultPreloadStaleTime: 0,
  defaultNotFoundComponent: NotFound,
  defaultErrorComponent: PageError,
  defaultPendingComponent: Pending,
  defaultPendingMs: 60,
  defaultPendingMinMs: 0,
  scrollRestoration: true,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
