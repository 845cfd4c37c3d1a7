/** What happens when somebody has signed in or out: nothing of whoever was here before stays. */
import { useQueryClient } from '@tanstack/react-query';
import { useRouter } from '@tanstack/react-router';
import type { Whoami } from '../api/contract.ts';
import { request } from '../api/request.ts';
import { whoami } from '../app/session.ts';
import { safeNext } from './next.ts';

const nextItem = 'solyx.next';

/** Remembers where to go while the browser is at the provider; a tab of its own, so another tab's plan is not lost. */
export const rememberNext = (next: string | undefined): void => sessionStorage.setItem(nextItem, safeNext(next));

/** What was remembered; forgotten by reading. */
export function recallNext(): string {
  const next = safeNext(sessionStorage.getItem(nextItem) ?? undefined);
  sessionStorage.removeItem(nextItem);
  return next;
}

export function useArrival(): (me: Whoami, next: string | undefined) => void {
  const client = useQueryClient();
  const router = useRouter();
  return (me, next) => {
    client.clear();
    client.setQueryData(whoami.queryKey, me);
    router.history.push(safeNext(next));
  };
}

/** Ends the session and shows the sign-in page. Signed out by the server counts as done. */
export function useSignOut(): () => Promise<void> {
  const client = useQueryClient();
  const router = useRouter();
  return async () => {
    await request('DELETE /v1/sessions/current').catch((error: { status?: number }) => {
      if (error.status !== 401) throw error;
    });
    client.clear();
    router.history.push('/login');
  };
}
