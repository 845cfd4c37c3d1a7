/** Opens the command palette by mouse or finger. */
import { UnstyledButton } from '@mantine/core';
import classes from './top-bar.module.css';

interface SearchButtonProps {
  /** Called when somebody is about to click. */
  readonly onIntent: () => void;
  readonly onClick: () => void;
}

export function SearchButton({ onIntent, onClick }: SearchButtonProps) {
  return (
    <UnstyledButton
      className={classes.search}
      onPointerEnter={onIntent}
      onFocus={onIntent}
      onClick={onClick}
      aria-label="Search and commands"
      aria-keyshortcuts="Control+K"
    >
      <svg viewBox="0 0 20 20" className={classes.icon} aria-hidden="true">
        <circle cx="9" cy="9" r="5" />
        <path d="M13 13l4 4" />
      </svg>
      <span className={classes.searchText}>Search</span>
      <kbd className={classes.searchText}>Ctrl K</kbd>
    </UnstyledButton>
  );
}
