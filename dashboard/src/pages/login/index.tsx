/**
 * Signing in: by a one-time link, by the OpenID provider, by e-mail, or with an API key.
 *
 * A link asks before it signs in: whoever sends somebody a link of his own must not put her into his account unnoticed, and
 * programs that look at links in e-mails must not use them up.
 */
import { useQuery } from '@tanstack/react-query';
import { useLocation } from '@tanstack/react-router';
import { useState } from 'react';
import type { Whoami } from '../../api/contract.ts';
import { read } from '../../api/queries.ts';
import { request } from '../../api/request.ts';
import { type Search, textOf } from '../../app/search.ts';
import { useSession } from '../../app/session.ts';
import { Gate, Or } from '../../identity/gate.tsx';
import { ProviderButton } from '../../identity/provider.tsx';
import { useArrival } from '../../identity/sign-in.ts';
import { type OwnTenant, TenantChoice } from '../../identity/tenant-choice.tsx';
import { useToken } from '../../identity/token.ts';
import { KeyForm } from './key-form.tsx';
import { LinkForm } from './link-form.tsx';
import { MailForm } from './mail-form.tsx';
import { ProviderReturn } from './provider-return.tsx';
import { SignedIn } from './signed-in.tsx';

export function Page() {
  const { pathname, search } = useLocation();
  const next = textOf(search as Search, 'next');
  const token = useToken('login');
  const arrive = useArrival();
  const { me } = useSession();
  const [choice, setChoice] = useState<{ me: Whoami; tenants: readonly OwnTenant[]; next: string | undefined }>();

  /** Signed in: on to the page, or first to the choice of a tenant. */
  const go = async (now: Whoami, to = next) => {
    const tenants = now.user === null ? [] : await ownTenants();
    if (tenants.length > 1) setChoice({ me: now, tenants, next: to });
    else arrive(now, to);
  };

  if (choice !== undefined) {
    return (
      <Gate title="Choose a tenant">
        <TenantChoice
          tenants={choice.tenants}
          onChosen={(chosen) => arrive(chosen, choice.next)}
          onStay={() => arrive(choice.me, choice.next)}
        />
      </Gate>
    );
  }
  if (pathname === '/login/oidc') return <ProviderReturn onSignedIn={go} />;
  if (token !== undefined) return <LinkForm token={token} before={me} onSignedIn={go} />;
  if (me !== undefined) return <SignedIn me={me} onGo={() => arrive(me, next)} />;
  return <Ways next={next} onSignedIn={go} />;
}

/** A failure here must keep nobody out: she is signed in. */
const ownTenants = (): Promise<readonly OwnTenant[]> =>
  request('GET /v1/sessions/tenants').then(
    ({ items }) => items,
    () => [],
  );

function Ways({ next, onSignedIn }: { next: string | undefined; onSignedIn: (me: Whoami) => Promise<void> }) {
  const { data: options } = useQuery({ ...read('GET /v1/sign-in'), staleTime: 60_000 });
  return (
    <Gate title="Sign in">
      {options?.oidc && (
        <>
          <ProviderButton name={options.oidc.name} next={next} />
          <Or />
        </>
      )}
      {options?.mail && (
        <>
          <MailForm />
          <Or />
        </>
      )}
      <KeyForm onSignedIn={onSignedIn} />
    </Gate>
  );
}
