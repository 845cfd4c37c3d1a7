/** Somebody who is signed in already looks at the sign-in page. */
import { Button } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import type { Whoami } from '../../api/contract.ts';
import { Gate } from '../../identity/gate.tsx';
import { useSignOut } from '../../identity/sign-in.ts';
import { Trouble } from '../../identity/trouble.tsx';

export function SignedIn({ me, onGo }: { readonly me: Whoami; readonly onGo: () => void }) {
  const signOut = useSignOut();
  const leave = useMutation({ mutationFn: signOut });
  return (
    <Gate title="You are signed in">
      <p>
        To <strong>{me.tenant.name}</strong>
        {me.user && ` as ${me.user.name}`}, with the role {me.role}.
      </p>
      {leave.error && <Trouble error={leave.error} />}
      <Button onClick={onGo}>Go on</Button>
      {me.session !== null && (
        <Button variant="default" loading={leave.isPending} onClick={() => leave.mutate()}>
          Sign out
        </Button>
      )}
    </Gate>
  );
}
