"""The tables as they began."""

from __future__ import annotations

from typing import Any, ClassVar

import django.db.models.deletion
from django.db import migrations, models

__all__ = ['Migration']


class Migration(migrations.Migration):
    """All tables of the application."""

    initial = True

    dependencies: ClassVar[Any] = []

    operations: ClassVar[Any] = [
        migrations.CreateModel(
            name='Blob',
            fields=[
                ('sha256', models.CharField(max_length=64, primary_key=True, serialize=False, verbose_name='SHA-256')),
                ('data', models.BinaryField()),
                ('size', models.PositiveBigIntegerField()),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name='Conversation',
            fields=[
                ('name', models.CharField(max_length=255, primary_key=True, serialize=False, verbose_name='id')),
                ('version', models.PositiveBigIntegerField(default=0, editable=False)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True, db_index=True)),
            ],
            options={
                'ordering': ['-updated_at'],
            },
        ),
        migrations.CreateModel(
            name='ApprovalRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('call_id', models.CharField(max_length=255)),
                ('tool_name', models.CharField(max_length=255, verbose_name='tool')),
                ('args', models.JSONField(verbose_name='arguments')),
                ('args_hash', models.CharField(editable=False, max_length=64)),
                ('reason', models.TextField(blank=True)),
                ('details', models.JSONField(blank=True, null=True)),
                (
                    'status',
                    models.CharField(
                        choices=[('pending', 'waits'), ('approved', 'approved'), ('denied', 'denied')],
                        db_index=True,
                        default='pending',
                        max_length=16,
                    ),
                ),
                ('note', models.TextField(blank=True, help_text='Why it was denied; the model reads it.')),
                ('decided_by', models.CharField(blank=True, max_length=255)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('decided_at', models.DateTimeField(blank=True, null=True)),
                ('resumed_at', models.DateTimeField(blank=True, null=True)),
                (
                    'conversation',
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name='approvals', to='syncai.conversation'
                    ),
                ),
            ],
            options={
                'ordering': ['-created_at'],
                'constraints': [
                    models.UniqueConstraint(
                        condition=models.Q(('resumed_at', None)),
                        fields=('conversation', 'call_id'),
                        name='syncai_approval_call',
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name='Message',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveBigIntegerField()),
                ('kind', models.CharField(max_length=16)),
                ('body', models.TextField()),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('blobs', models.ManyToManyField(editable=False, related_name='messages', to='syncai.blob')),
                (
                    'conversation',
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name='messages', to='syncai.conversation'
                    ),
                ),
            ],
            options={
                'ordering': ['conversation', 'position'],
                'constraints': [
                    models.UniqueConstraint(fields=('conversation', 'position'), name='syncai_message_position')
                ],
            },
        ),
    ]
