/**
 * Back from the OpenID provider. Code and state leave the address at once, and are handed over exactly once, also when React
 * renders the page anew meanwhile.
 */
import { Button } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import type { Input, Whoami } from '../../api/contract.ts';
import { request } from '../../api/request.ts';
import { Gate } from '../../identity/gate.tsx';
import { recallNext } from '../../identity/sign-in.ts';
import { Trouble } from '../../identity/trouble.tsx';

const names = ['code', 'state', 'iss', 'session_state', 'error', 'error_description'] as const;

export function ProviderReturn({ onSignedIn }: { readonly onSignedIn: (me: Whoami, next: string) => Promise<void> }) {
  const finish = useMutation({
    mutationFn: async (body: Input<'POST /v1/oidc/finish'>['body']) =>
      onSignedIn(await request('POST /v1/oidc/finish', { body }), recallNext()),
  });
  const started = useRef(false);
  useEffect(() => {
    if (started.current) return;
    started.current = true;
    const query = new URLSearchParams(window.location.search);
    const said = names.flatMap((name) => (query.has(name) ? [[name, query.get(name)]] : []));
    window.history.replaceState(window.history.state, '', '/login/oidc');
    finish.mutate(Object.fromEntries(said));
  });
  return (
    <Gate title={finish.error ? 'You were not signed in' : 'Signing in'}>
      {finish.error ? (
        <>
          <Trouble error={finish.error} />
          <Button component="a" href="/login" variant="default">
            Back to the sign-in page
          </Button>
        </>
      ) : (
        <output>Checking what the provider said …</output>
      )}
    </Gate>
  );
}
