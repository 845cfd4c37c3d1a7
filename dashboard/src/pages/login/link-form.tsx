/** Signing in by a one-time link, after a word about what it does. */
import { Button } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import type { Whoami } from '../../api/contract.ts';
import { request } from '../../api/request.ts';
import { Gate } from '../../identity/gate.tsx';
import { Trouble } from '../../identity/trouble.tsx';

interface LinkFormProps {
  readonly token: string;
  /** Who is signed in until then. */
  readonly before: Whoami | undefined;
  readonly onSignedIn: (me: Whoami) => Promise<void>;
}

export function LinkForm({ token, before, onSignedIn }: LinkFormProps) {
  const signIn = useMutation({
    mutationFn: async () => onSignedIn(await request('POST /v1/sessions', { body: { link: token } })),
  });
  const isDead = signIn.error !== null && 'code' in signIn.error && signIn.error.code === 'link_invalid';
  return (
    <Gate title="Sign in by this link">
      <p>The link signs this browser in as whoever made it. Go on only if you asked for it yourself.</p>
      {before !== undefined && (
        <p>
          You are signed in to <strong>{before.tenant.name}</strong>
          {before.user && ` as ${before.user.name}`}; that ends.
        </p>
      )}
      {signIn.error && <Trouble error={signIn.error} />}
      {isDead ? (
        <Button component="a" href="/login" variant="default">
          Sign in another way
        </Button>
      ) : (
        <Button loading={signIn.isPending} onClick={() => signIn.mutate()} data-autofocus autoFocus>
          Sign in
        </Button>
      )}
    </Gate>
  );
}
