import { Modal } from '../ui/modal.tsx';

const KEYS: readonly (readonly [readonly string[], string])[] = [
  [['/'], 'Filter tables'],
  [['↑', '↓'], 'Move through tables'],
  [['Home', 'End'], 'First and last table'],
  [['Enter'], 'Open the table'],
  [['Esc'], 'Close, or clear the filter'],
  [['n'], 'Add a source'],
  [['?'], 'This list'],
];

export const Shortcuts = ({ onClose }: { onClose: () => void }) => (
  <Modal kind="dialog" title="Keyboard shortcuts" onClose={onClose}>
    <dl className="shortcuts">
      {KEYS.map(([keys, meaning]) => (
        <div key={meaning}>
          <dt>
            {keys.map((key) => (
              <kbd key={key}>{key}</kbd>
            ))}
          </dt>
          <dd>{meaning}</dd>
        </div>
      ))}
    </dl>
  </Modal>
);
