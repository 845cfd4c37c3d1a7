/** The command: a line for the shell, or words that are run as they are. */

import { Textarea } from '@mantine/core';
import '../../../ui/inputs.css';
import { Choice } from '../../../ui/choice.tsx';
import { valueAt } from '../spec/draft.ts';
import { groups, textOf } from '../spec/fields.ts';
import classes from '../submit.module.css';
import type { PartProps } from './form.tsx';

export function CommandField({ spec, edit, issues }: PartProps) {
  const command = valueAt(spec, groups.command);
  const isList = Array.isArray(command);
  const words = isList ? command.map(textOf) : [];
  const args = valueAt(spec, groups.args);
  const argWords = Array.isArray(args) ? args.map(textOf) : [];
  // A word of several lines cannot be told from several words here.
  const isPlain = [...words, ...argWords].every((word) => !word.includes('\n'));
  const toggle = (kind: 'shell' | 'words') => {
    if (kind === 'words' && !isList) edit(groups.command, splitWords(textOf(command)));
    else if (kind === 'shell' && isList) {
      edit(groups.args, undefined);
      edit(groups.command, [...words, ...argWords].map(quoteWord).join(' '));
    }
  };
  return (
    <div>
      <Textarea
        label={isList ? 'Command, one word a line' : 'Command'}
        labelProps={{ className: classes.grow }}
        description={
          isList && !isPlain
            ? 'Some words have line breaks; they are edited in the YAML.'
            : isList
              ? undefined
              : 'A line for /bin/sh.'
        }
        error={[issues.command, issues.args].filter(Boolean).join('; ') || undefined}
        size="xs"
        classNames={{ input: classes.mono }}
        autosize
        minRows={2}
        maxRows={16}
        spellCheck={false}
        readOnly={!isPlain}
        value={isList ? words.join('\n') : textOf(command)}
        onChange={(event) => {
          const text = event.currentTarget.value;
          if (!isList) edit(groups.command, text === '' ? undefined : text);
          else edit(groups.command, text === '' ? undefined : text.split('\n'));
        }}
      />
      {argWords.length > 0 && (
        <Textarea
          label="Arguments, one a line"
          mt="xs"
          size="xs"
          classNames={{ input: classes.mono }}
          autosize
          minRows={1}
          maxRows={16}
          spellCheck={false}
          readOnly={!isPlain}
          value={argWords.join('\n')}
          onChange={(event) => {
            const text = event.currentTarget.value;
            edit(groups.args, text === '' ? undefined : text.split('\n'));
          }}
        />
      )}
      <div className={classes.below}>
        <Choice
          label="Form of the command"
          value={isList ? 'words' : 'shell'}
          onChange={toggle}
          options={[
            { value: 'shell', label: 'Shell line' },
            { value: 'words', label: 'List of words', disabled: !isList && textOf(command) === '' },
          ]}
        />
      </div>
    </div>
  );
}

/** The words of a simple line; one with quotes or operators needs the shell that it was written for. */
function splitWords(line: string): string[] {
  return /^[\w\s./:=@%+,-]+$/.test(line) ? line.trim().split(/\s+/) : ['/bin/sh', '-c', line];
}

const quoteWord = (word: string): string =>
  /^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
