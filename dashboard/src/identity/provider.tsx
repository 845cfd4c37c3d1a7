/** Signing in by the OpenID provider: off to it, and back at `/login/oidc` with a code. */
import { Button } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { request } from '../api/request.ts';
import { rememberNext } from './sign-in.ts';
import { Trouble } from './trouble.tsx';

interface ProviderButtonProps {
  /** What the provider is called. */
  readonly name: string;
  readonly next: string | undefined;
  /** Token of an invitation that is accepted by it. */
  readonly invitation?: string;
}

export function ProviderButton({ name, next, invitation }: ProviderButtonProps) {
  const begin = useMutation({
    mutationFn: () => request('POST /v1/oidc/begin', { body: invitation === undefined ? {} : { invitation } }),
    onSuccess: ({ url }) => {
      rememberNext(next);
      window.location.assign(url);
    },
  });
  return (
    <>
      <Button variant="default" loading={begin.isPending || begin.isSuccess} onClick={() => begin.mutate()}>
        {invitation === undefined ? 'Sign in' : 'Accept'} with {name}
      </Button>
      {begin.error && <Trouble error={begin.error} />}
    </>
  );
}
