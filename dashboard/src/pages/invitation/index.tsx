/** Accepting an invitation: what it is to, under which name, and in. */
import { Button, Skeleton, TextInput } from '@mantine/core';
import '../../ui/inputs.css';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { Output } from '../../api/contract.ts';
import { read } from '../../api/queries.ts';
import { request } from '../../api/request.ts';
import { useSession } from '../../app/session.ts';
import classes from '../../identity/gate.module.css';
import { Gate, Or } from '../../identity/gate.tsx';
import { ProviderButton } from '../../identity/provider.tsx';
import { useArrival } from '../../identity/sign-in.ts';
import { useToken } from '../../identity/token.ts';
import { Trouble } from '../../identity/trouble.tsx';
import { Time } from '../../ui/time.tsx';

type Invitation = Output<'POST /v1/invitations/look'>;

export function Page() {
  const token = useToken('invite');
  const look = useQuery({
    queryKey: ['invitation', token],
    queryFn: () => request('POST /v1/invitations/look', { body: { link: token! } }),
    enabled: token !== undefined,
    staleTime: Number.POSITIVE_INFINITY,
    // Once used, it says so to whoever asks again.
    refetchOnWindowFocus: false,
  });
  if (token === undefined) {
    return (
      <Gate title="No invitation">
        <p>This address lacks its invitation. Open the whole link that you were sent.</p>
        <Button component="a" href="/login" variant="default">
          Sign in
        </Button>
      </Gate>
    );
  }
  if (look.error) {
    return (
      <Gate title="This invitation does not open">
        <Trouble error={look.error} />
        <Button component="a" href="/login" variant="default">
          Sign in
        </Button>
      </Gate>
    );
  }
  return (
    <Gate title="You are invited">
      {look.data === undefined ? <Skeleton height={180} /> : <Accept token={token} invitation={look.data} />}
    </Gate>
  );
}

function Accept({ token, invitation }: { readonly token: string; readonly invitation: Invitation }) {
  const [name, setName] = useState(invitation.name);
  const arrive = useArrival();
  const { me } = useSession();
  const { data: options } = useQuery({ ...read('GET /v1/sign-in'), staleTime: 60_000 });
  const accept = useMutation({
    mutationFn: () => request('POST /v1/invitations/accept', { body: { link: token, name: name.trim() } }),
    onSuccess: (now) => arrive(now, '/'),
  });
  return (
    <>
      <dl className={classes.facts}>
        <dt>Tenant</dt>
        <dd>{invitation.tenant}</dd>
        <dt>As</dt>
        <dd>{invitation.role}</dd>
        <dt>For</dt>
        <dd>{invitation.email}</dd>
        <dt>Expires</dt>
        <dd>
          <Time at={invitation.expiresAt} />
        </dd>
      </dl>
      {me !== undefined && (
        <p className={classes.dim}>
          You are signed in to {me.tenant.name} now; accepting signs you in to {invitation.tenant} instead.
        </p>
      )}
      {options?.oidc && (
        <>
          <ProviderButton name={options.oidc.name} next="/" invitation={token} />
          <Or />
        </>
      )}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          accept.mutate();
        }}
      >
        <TextInput
          label="Your name"
          description="As colleagues will see it."
          name="name"
          autoComplete="name"
          required
          withAsterisk={false}
          maxLength={100}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        {accept.error && <Trouble error={accept.error} />}
        <Button type="submit" loading={accept.isPending}>
          Accept and sign in
        </Button>
      </form>
    </>
  );
}
