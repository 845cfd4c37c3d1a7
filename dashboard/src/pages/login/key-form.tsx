/** Signing in with an API key, pasted. */
import { Button, TextInput } from '@mantine/core';
import '../../ui/inputs.css';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import type { Whoami } from '../../api/contract.ts';
import { request } from '../../api/request.ts';
import classes from '../../identity/gate.module.css';
import { Trouble } from '../../identity/trouble.tsx';

export function KeyForm({ onSignedIn }: { readonly onSignedIn: (me: Whoami) => Promise<void> }) {
  const [key, setKey] = useState('');
  const signIn = useMutation({
    mutationFn: async () => onSignedIn(await request('POST /v1/sessions', { body: { key: key.trim() } })),
  });
  return (
    <>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          signIn.mutate();
        }}
      >
        <TextInput
          label="API key"
          type="password"
          name="key"
          autoComplete="current-password"
          spellCheck={false}
          placeholder="sx_api_…"
          required
          withAsterisk={false}
          maxLength={200}
          value={key}
          onChange={(event) => setKey(event.currentTarget.value)}
        />
        {signIn.error && <Trouble error={signIn.error} />}
        <Button type="submit" loading={signIn.isPending}>
          Sign in
        </Button>
      </form>
      <p className={classes.dim}>
        On the machine where the server runs, <code>solyx open</code> prints a link that signs you in.
      </p>
    </>
  );
}
