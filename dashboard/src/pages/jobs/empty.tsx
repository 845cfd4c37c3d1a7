/** No job is here: because of the filters, or because there is none yet. */
import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { pageLoader } from '../../app/nouns.ts';
import { CopyId } from '../../ui/copy-id.tsx';
import type { EmptyText } from '../../ui/panel.tsx';
import { type Filters, isFiltered } from './filters.ts';

export function emptyText(filters: Filters, onClear: () => void): EmptyText {
  if (isFiltered(filters)) {
    return {
      why: 'No job fits these filters.',
      action: (
        <Button variant="default" size="xs" onClick={onClear}>
          Show all jobs
        </Button>
      ),
    };
  }
  return {
    why: 'No job was submitted yet. This submits a small training from the repository:',
    action: (
      <>
        <CopyId id="npx solyx submit examples/train.yaml --follow" />
        {pageLoader('submit') !== undefined && (
          <Button component={Link} to="/submit" size="xs">
            Fill in a form instead
          </Button>
        )}
      </>
    ),
  };
}
