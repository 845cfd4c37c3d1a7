/** Asks for the name of a view. */
import { Button, Modal, TextInput } from '@mantine/core';
import '../../ui/inputs.css';
import '../../ui/overlays.css';
import { type FormEvent, useState } from 'react';

interface SaveViewProps {
  readonly onSave: (name: string) => void;
  readonly onClose: () => void;
}

export default function SaveView({ onSave, onClose }: SaveViewProps) {
  const [name, setName] = useState('');
  const save = (event: FormEvent) => {
    event.preventDefault();
    if (name.trim() === '') return;
    onSave(name.trim());
    onClose();
  };
  return (
    <Modal opened onClose={onClose} title="Save these filters">
      <form onSubmit={save}>
        <TextInput
          label="Name"
          description="Saved in this browser."
          value={name}
          maxLength={60}
          onChange={(event) => setName(event.currentTarget.value)}
          data-autofocus
        />
        <Button type="submit" mt="md" size="xs" disabled={name.trim() === ''}>
          Save
        </Button>
      </form>
    </Modal>
  );
}
