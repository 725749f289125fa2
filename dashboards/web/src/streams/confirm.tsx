import { useState } from 'react';
import { Modal } from '../ui/modal.tsx';

interface ConfirmProps {
  readonly title: string;
  readonly text: string;
  readonly action: string;
  /** Set for what cannot be undone: this word must be typed first. */
  readonly typed?: string;
  readonly onConfirm: () => void;
  readonly onClose: () => void;
}

export function Confirm({ title, text, action, typed, onConfirm, onClose }: ConfirmProps) {
  const [word, setWord] = useState('');
  return (
    <Modal kind="dialog" title={title} onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          onConfirm();
        }}
      >
        <p>{text}</p>
        {typed && (
          <label className="field">
            <span className="field__label">
              Type <b>{typed}</b> to confirm
            </span>
            <input
              value={word}
              autoComplete="off"
              spellCheck={false}
              onChange={(event) => setWord(event.target.value)}
            />
          </label>
        )}
        <div className="form__actions">
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
          <button
            type="submit"
            className={`button ${typed ? 'button--danger' : 'button--primary'}`}
            disabled={typed !== undefined && word !== typed}
          >
            {action}
          </button>
        </div>
      </form>
    </Modal>
  );
}
