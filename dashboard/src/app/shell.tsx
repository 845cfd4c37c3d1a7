/**
 * The frame around every page: rail, top bar, the page. Signed out, only the sign-in page shows.
 */
import { Outlet, useLocation, useNavigate, useRouterState } from '@tanstack/react-router';
import { useContext, useEffect, useState } from 'react';
import { LiveContext } from '../live/hooks.ts';
import { folderOf } from './head-start.ts';
import { isPageLoaded, pageLoader } from './nouns.ts';
import { Pending } from './pending.tsx';
import { Rail } from './rail.tsx';
import { useRecovery } from './recover.ts';
import { useSession } from './session.ts';
import classes from './shell.module.css';
import { SignedOut } from './signed-out.tsx';
import { titleOf, useTitle } from './title.ts';
import { TopBar } from './top-bar.tsx';

/** Pages that need no session. */
const open = ['/login', '/login/oidc', '/invitation'];

export function Shell() {
  const { pathname, href } = useLocation();
  const navigate = useNavigate();
  const isOpen = open.includes(pathname);
  const { me, signedOut } = useSession();
  const live = useContext(LiveContext);
  const [menu, setMenu] = useState(false);
  const hasLogin = pageLoader('login') !== undefined;
  const leaving = useLeaving();

  useEffect(() => {
    if (signedOut && hasLogin && !isOpen) void navigate({ to: '/login', search: { next: href }, replace: true });
  }, [signedOut, hasLogin, isOpen, href, navigate]);
  const signedIn = me !== undefined;
  useRecovery();
  useTitle(titleOf(pathname));
  useEffect(() => {
    if (!signedIn) return;
    live?.start();
    return () => live?.stop();
  }, [live, signedIn]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the menu closes when the page changes
  useEffect(() => setMenu(false), [pathname]);

  if (isOpen) return <Outlet />;
  if (signedOut) return hasLogin ? null : <SignedOut />;
  return (
    <div className={classes.shell}>
      <a className={classes.skip} href="#main">
        Skip to the page
      </a>
      <Rail open={menu} onClose={() => setMenu(false)} />
      <div className={classes.right}>
        <TopBar onMenu={() => setMenu(true)} />
        <main id="main" className={classes.main} tabIndex={-1}>
          {leaving ? <Pending /> : <Outlet />}
        </main>
      </div>
    </div>
  );
}

/**
 * Whether a page was chosen whose code is still on its way: then its shape stands in its place at once. The router by itself would
 * keep the page that one wants to leave until all of the next is here, because both lie in the same boundary of Suspense.
 */
function useLeaving(): boolean {
  return useRouterState({
    select: ({ status, location, resolvedLocation }) => {
      const next = folderOf(location.pathname);
      const left = resolvedLocation === undefined ? undefined : folderOf(resolvedLocation.pathname);
      return status === 'pending' && left !== undefined && left !== next && !isPageLoaded(next);
    },
  });
}
