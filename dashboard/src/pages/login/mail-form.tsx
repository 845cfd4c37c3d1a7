/** Having a login link sent to one's own address. What it says is the same whether anybody has the address. */
import { Button, TextInput } from '@mantine/core';
import '../../ui/inputs.css';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { request } from '../../api/request.ts';
import { Trouble } from '../../identity/trouble.tsx';

export function MailForm() {
  const [email, setEmail] = useState('');
  const send = useMutation({
    mutationFn: () => request('POST /v1/login-links/mail', { body: { email: email.trim() } }),
  });
  if (send.isSuccess) {
    return <output>If {email} belongs to a user, a link is on its way. It works once, within 15 minutes.</output>;
  }
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        send.mutate();
      }}
    >
      <TextInput
        label="E-mail"
        type="email"
        name="email"
        autoComplete="email"
        required
        withAsterisk={false}
        maxLength={254}
        value={email}
        onChange={(event) => setEmail(event.currentTarget.value)}
      />
      {send.error && <Trouble error={send.error} />}
      <Button type="submit" variant="default" loading={send.isPending}>
        Send me a link
      </Button>
    </form>
  );
}
